"""The matching of activation maps with those of a teacher that has all ReLUs (PRAM in SENet, ICLR 2023).

The penalty is weight / 2 times the sum over layers of the mean square of the difference of both maps, each
divided by its norm. The paper's formula is not at hand. The mean of squares is that of attention transfer
(Zagoruyko and Komodakis, ICLR 2017), for which 1000 is the usual weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import ModelError

from ..networks.layer_outputs import layer_outputs
from ..networks.masked_relu import masked_relus
from .settings import TrainingSettings


@contextmanager
def map_penalty(
    module: nn.Module, teacher: nn.Module | None, settings: TrainingSettings
) -> Iterator[Callable[[], Tensor] | None]:
    """Yields a function that returns the penalty on the last forward pass of both networks.

    None is yielded if `settings` ask for no matching.

    Raises:
        ModelError: There is no teacher, or it has no ReLU at the place of a masked one.

    >>> from pi_bench.models.networks.masked_relu import TrainableMaskedReLU
    >>> module, teacher = nn.Sequential(TrainableMaskedReLU((2, 1, 1), "pixel")), nn.Sequential(nn.ReLU())
    >>> x = torch.tensor([3.0, -4.0]).reshape(1, 2, 1, 1)
    >>> module[0].mask.data.zero_().shape
    torch.Size([1, 2, 1, 1])
    >>> with map_penalty(module, teacher, TrainingSettings(map_weight=1.0)) as penalty:
    ...     _ = module(x), teacher(x)
    ...     round(float(penalty()), 4)  # of (0.6, -0.8) and (1, 0)
    0.2
    """
    if not settings.map_weight:
        yield None
        return
    paths = list(masked_relus(module))
    found = {} if teacher is None else dict(teacher.named_modules())
    wrong = next((path for path in paths if type(found.get(path)) is not nn.ReLU), None)
    if teacher is None or wrong is not None or not paths:
        raise ModelError(
            "map_weight matches maps of masked ReLUs with those of a teacher that has ReLUs there: "
            f"{'there are none' if wrong is None else f'the teacher has none at {wrong}'}"
        )
    with layer_outputs(module, paths) as mine, layer_outputs(teacher, paths) as theirs:

        def penalty() -> Tensor:
            squares = [
                (_normalized(mine[path]) - _normalized(theirs[path])).square().mean() for path in paths
            ]
            return settings.map_weight / 2 * torch.stack(squares).sum()

        yield penalty


def _normalized(output: Tensor) -> Tensor:
    """Returns the map of each sample divided by its norm."""
    return functional.normalize(output.float().flatten(1), dim=1)
