"""The penalties that settings add to the loss of each batch, as one term."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from .map_matching import map_penalty
from .polynomial_training import range_penalty
from .settings import TrainingSettings


@contextmanager
def penalties(
    module: nn.Module, teacher: nn.Module | None, settings: TrainingSettings
) -> Iterator[Callable[[], Tensor] | None]:
    """Yields a function that returns the sum of all penalties on the last forward pass, or None.

    Raises:
        ModelError: Maps cannot be matched with those of the teacher.

    >>> with penalties(nn.Linear(2, 2), None, TrainingSettings()) as penalty:
    ...     penalty is None
    True
    """
    with range_penalty(module, settings) as ranges, map_penalty(module, teacher, settings) as maps:
        if ranges is None or maps is None:
            yield ranges or maps
        else:
            yield lambda: ranges() + maps()
