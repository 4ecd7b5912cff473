"""The float input of a run: a user's file, or seeded noise of a sane size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pi_bench.errors import InputError
from pi_bench.network.program import InputOp

MAX_INPUT_BYTES = 1 << 30


def load_input(path: Path) -> np.ndarray:
    """The array in a ``.npy`` file; shape and range are checked where it is encoded.

    Raises:
        InputError: no such file, not a ``.npy`` file, or an object array (never unpickled).
    """
    try:
        if path.stat().st_size > MAX_INPUT_BYTES:
            raise InputError(f"{path}: larger than {MAX_INPUT_BYTES} bytes; save one input alone")
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except InputError:
        raise
    except Exception as error:  # numpy parses the header with Python's own tokenizer and parser
        reason = "it holds Python objects" if "pickle" in str(error).lower() else "it is not a .npy file"
        raise InputError(f"{path}: {reason}; save a numeric array with numpy.save") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: an archive of arrays; save one array with numpy.save")
    return array


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
