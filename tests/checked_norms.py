"""Batch norms that check their input's shape and return it, for networks whose values nobody reads.

On torch's meta device a batch norm runs some thirty Python functions for one shape: three quarters of the
time of a forward pass.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch


def _checked(values: torch.Tensor, mean: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
    if values.shape[1:2] != mean.shape:
        raise RuntimeError(f"running_mean has {tuple(mean.shape)} values for inputs {tuple(values.shape)}")
    return values


@contextmanager
def checked_norms() -> Iterator[None]:
    """Lets every batch norm return its input, after a look at the number of channels."""
    with mock.patch.object(torch.nn.functional, "batch_norm", _checked):
        yield
