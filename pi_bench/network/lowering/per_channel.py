"""Coefficients of the arithmetic in a trace that have one number per channel."""

from __future__ import annotations

import numpy as np

from pi_bench.network.lowering.state import FxNode, refuse


def is_per_channel(values: np.ndarray) -> bool:
    """Tells whether all values (channels, ...) of a channel are equal.

    >>> is_per_channel(np.array([[1, 1], [2, 2]])), is_per_channel(np.array([[1, 2], [2, 2]]))
    (True, False)
    """
    full = values.reshape(len(values), -1)
    return not (full != full[:, :1]).any()


def per_channel(call: FxNode, values: np.ndarray, what: str) -> np.ndarray:
    """Reduces values (channels, ...), of which those of a channel are equal, to float32 (channels,).

    Args:
        what: what the values are, for the error.

    Raises:
        ModelError: a value is NaN or infinite in float32.

    >>> import torch
    >>> call = torch.fx.Graph().call_function(torch.ops.aten.mul.Tensor, ())
    >>> per_channel(call, np.array([[1.0, 1.0], [2.0, 2.0]]), "a factor")
    array([1., 2.], dtype=float32)
    """
    with np.errstate(over="ignore"):
        full = np.asarray(values, np.float32).reshape(len(values), -1)
    if not np.isfinite(full).all():
        raise refuse(call, f"{what} is NaN or infinite")
    return np.ascontiguousarray(full[:, 0])
