"""Compares the private answer with logits that the user expects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pi_bench.errors import InputError
from pi_bench.launch.inputs import load_input
from pi_bench.network.program import Program


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedLogits:
    """The logits of a file, and the largest difference from them that is allowed.

    >>> expected = ExpectedLogits("y.npy", np.zeros((1, 2)), tolerance=0.1)
    >>> expected.compare(np.array([[0.0, 0.25]]))
    (0.25, 'the logits differ from y.npy by up to 0.25, and 0.1 is allowed')
    >>> expected.compare(np.zeros((1, 2)))
    (0.0, None)
    """

    name: str
    logits: np.ndarray
    tolerance: float

    @classmethod
    def read(cls, path: Path, tolerance: float) -> ExpectedLogits:
        """Reads a ``.npy`` file of real numbers.

        Raises:
            InputError: there is no such file, or it does not hold one array of finite real numbers.
        """
        logits = load_input(path).astype(np.float64)
        if not np.isfinite(logits).all():
            raise InputError(f"{path.name} holds a number that is not finite, so no logits can agree with it")
        return cls(path.name, logits, tolerance)

    def require_shape(self, program: Program) -> None:
        """Refuses logits of another shape than the program's output, whose batch axis may be missing if it
        is 1.

        Raises:
            InputError: the shape is another one.
        """
        shape = program.output.shape
        if self.logits.shape not in (shape, shape[1:] if shape[0] == 1 else shape):
            raise InputError(
                f"{self.name} has the shape {self.logits.shape}, the output of the network has {shape}"
            )

    def compare(self, logits: np.ndarray) -> tuple[float, str | None]:
        """Returns the largest difference, and a sentence if it is larger than the tolerance."""
        largest = float(np.abs(self.logits.reshape(logits.shape) - logits).max(initial=0.0))
        if largest <= self.tolerance:
            return largest, None
        allowed = f"{self.tolerance:g} is allowed"
        if not self.tolerance:
            allowed = "no difference is allowed; --logits-tolerance allows one"
        return largest, f"the logits differ from {self.name} by up to {largest:.6g}, and {allowed}"
