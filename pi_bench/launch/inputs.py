"""Finds the float input of a run: a file of the user, or seeded noise within the bound of the input."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pi_bench.network.graph import Graph
from pi_bench.network.program import InputOp
from pi_bench.npy_file import as_native_float, read_npy


def load_input(path: Path) -> np.ndarray:
    """Reads the real numbers of a ``.npy`` file, as native float32 or float64.

    `encode_input` checks their shape and range.

    Raises:
        InputError: there is no such file, or it does not hold one array of real numbers.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".npy") as file:
    ...     np.save(file.name, np.arange(6).reshape(2, 3))
    ...     load_input(Path(file.name)).shape
    (2, 3)
    """
    return as_native_float(read_npy(path))


def batch_of(array: np.ndarray | None, graph: Graph) -> int | None:
    """Returns the number of inputs in an array that has a batch axis before those of the network's input, or
    None for others.

    >>> from pi_bench.network.graph import InputNode
    >>> graph = Graph((InputNode("x", (), (3, 32, 32)),), {})
    >>> batch_of(np.zeros((8, 3, 32, 32)), graph), batch_of(np.zeros((3, 32, 32)), graph)
    (8, None)
    """
    return array.shape[0] if array is not None and array.ndim == 1 + len(graph.input.shape) else None


def noise_input(op: InputOp, seed: int) -> np.ndarray:
    """Draws normal noise within the calibrated bound: float32, of the input's shape.

    The noise is seeded, so that runs can be compared: an input to measure with is no secret.

    >>> noise_input(InputOp(0, "input", (1, 3, 8, 8), 4, bound=4.0), seed=0).shape
    (1, 3, 8, 8)
    """
    noise = np.random.default_rng(seed).standard_normal(op.shape, dtype=np.float32)
    limit = np.array(op.bound * 0.999, np.float32)
    if op.channel_bits is not None:  # small features stay within about their own ranges
        bits = op.channel_bits.astype(np.int64)
        limit = np.ldexp(limit, -np.where(bits > 0, bits + 2, 0)).reshape(-1, *(1,) * (noise.ndim - 2))
    return np.clip(noise, -limit, limit)
