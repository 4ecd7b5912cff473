"""Laws of activations as objects: verification, the reference and accuracy ask them, whatever the mode.

A law gives the result of an activation for a value x of Z_2^32 of which the client holds the share v. A
protocol names one per mode. `WindowLaw` is that of `pi_bench.arithmetic.law`; a protocol may bring another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from pi_bench.arithmetic.law import (
    TRUNCATED_SIGN,
    dropped_sign_bits,
    offset,
    relu_in_range,
    relu_law,
    truncate_in_range,
    truncate_law,
)


class ActivationLaw(ABC):
    """Defines every activation of one mode. Arrays are uint32, results have the shape of `x`.

    A protocol with an arithmetic of its own defines a subclass. It has a name, says whether its results
    depend on shares, and computes four functions:

    ```python
    class FloorLaw(ActivationLaw):
        name, depends_on_shares = "floor", False

        def relu(self, x, v, truncate_bits, window_bits):
            return np.maximum(x.view(np.int32) >> truncate_bits, 0).view(np.uint32)

        def truncate(self, x, v, truncate_bits):
            return (x.view(np.int32) >> truncate_bits).view(np.uint32)

        def relu_in_range(self, x, truncate_bits, window_bits):
            return np.abs(x.view(np.int32).astype(np.int64)) < 1 << window_bits

        def truncate_in_range(self, x, truncate_bits):
            return np.ones(x.shape, np.bool_)
    ```
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Names the law, for tables."""

    @property
    @abstractmethod
    def depends_on_shares(self) -> bool:
        """Whether `v` enters a result. If it does not, runs equal the reference network bit for bit."""

    @property
    def approximated(self) -> ActivationLaw | None:
        """The more accurate law that this one approximates by zeros, if there is one.

        Reports count the values that are 0 under this law and not under the approximated law.
        """
        return None

    def refusal(self, truncate_bits: int, window_bits: int) -> str | None:
        """Says why the law cannot hold for ReLUs of such a window; None if it can."""
        del truncate_bits, window_bits
        return None

    @abstractmethod
    def relu(self, x: np.ndarray, v: np.ndarray, truncate_bits: int, window_bits: int) -> np.ndarray:
        """Computes the ReLU of x, truncated by so many bits."""

    @abstractmethod
    def truncate(self, x: np.ndarray, v: np.ndarray, truncate_bits: int) -> np.ndarray:
        """Computes x, truncated by so many bits."""

    @abstractmethod
    def relu_in_range(self, x: np.ndarray, truncate_bits: int, window_bits: int) -> np.ndarray:
        """Returns bool: the window holds x, so that `relu` is meaningful."""

    @abstractmethod
    def truncate_in_range(self, x: np.ndarray, truncate_bits: int) -> np.ndarray:
        """Returns bool: x is a value that `truncate` is meaningful for."""


@dataclass(frozen=True, slots=True)
class WindowLaw(ActivationLaw):
    """One of the laws of `pi_bench.arithmetic.law`, by its name there.

    >>> x = np.array([-4096, 4096, 6144], np.int32).view(np.uint32)
    >>> WindowLaw("exact").relu(x, np.zeros_like(x), 12, 23)
    array([0, 1, 2], dtype=uint32)
    """

    name: str
    sign_drop: int = 0

    @property
    def exact(self) -> bool:
        return self.name == EXACT.name

    @property
    def depends_on_shares(self) -> bool:
        return not self.exact

    @property
    def approximated(self) -> WindowLaw | None:
        return WINDOWED if self.sign_drop else None

    def offset(self, truncate_bits: int) -> int:
        """Returns the number that is added to x before the truncation."""
        return offset(self.name, truncate_bits)

    def dropped_sign_bits(self, truncate_bits: int, window_bits: int) -> int:
        """Counts the low bits of a ReLU's window that the sign disregards."""
        return dropped_sign_bits(self.name, truncate_bits, window_bits, self.sign_drop)

    def refusal(self, truncate_bits: int, window_bits: int) -> str | None:
        most = window_bits - truncate_bits if self.name == TRUNCATED_SIGN else 0
        if 0 <= self.sign_drop <= most:
            return None
        return (
            f"a window of {window_bits - truncate_bits + 1} bits needs one for the sign and cannot drop "
            f"{self.sign_drop}; drop at most {most}"
        )

    def relu(self, x: np.ndarray, v: np.ndarray, truncate_bits: int, window_bits: int) -> np.ndarray:
        return relu_law(x, v, truncate_bits, window_bits, self.name, self.sign_drop)

    def truncate(self, x: np.ndarray, v: np.ndarray, truncate_bits: int) -> np.ndarray:
        return truncate_law(x, v, truncate_bits, self.name)

    def relu_in_range(self, x: np.ndarray, truncate_bits: int, window_bits: int) -> np.ndarray:
        return relu_in_range(x, truncate_bits, window_bits, self.name, self.sign_drop)

    def truncate_in_range(self, x: np.ndarray, truncate_bits: int) -> np.ndarray:
        return truncate_in_range(x, truncate_bits, self.name)


WINDOWED = WindowLaw("windowed")
EXACT = WindowLaw("exact")
