"""The float input of a run: a user's file, or seeded noise of a sane size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pi_bench.network.program import InputOp
from pi_bench.npy_file import as_native_float, read_npy


def load_input(path: Path) -> np.ndarray:
    """The real numbers in a ``.npy`` file, native float32 or float64; `encode_input` checks shape and range.

    Raises:
        InputError: no such file, or not one array of real numbers; says which.
    """
    return as_native_float(read_npy(path))


def batch_of(array: np.ndarray | None) -> int | None:
    """How many inputs an array holds if it has a batch axis, that is rank 4 (images) or 2 (features)."""
    return None if array is None or array.ndim not in (2, 4) else array.shape[0]


def noise_input(op: InputOp, seed: int) -> np.ndarray:
    """Normal noise within the calibrated bound, float32 of the input's shape.

    Seeded, so that runs compare: an input to measure with is no secret.
    """
    noise = np.random.default_rng(seed).standard_normal(op.shape, dtype=np.float32)
    limit = np.float32(op.bound * 0.999)
    return np.clip(noise, -limit, limit)
