"""The security that a protocol states: the adversary, estimates of its assumptions, and its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimates what it costs to break one assumption.

    Attributes:
        assumption: what the adversary has to break, such as "ring learning with errors".
        bits: log2 of the cost of the best attack that was considered.
        basis: the attack and how its cost is counted.

    >>> Estimate("discrete logarithms on edwards25519", 125.8, "Pollard's rho").bits
    125.8
    """

    assumption: str
    bits: float
    basis: str


@dataclass(frozen=True, slots=True)
class Security:
    """Holds the security of a run with given options, all of which is public.

    Attributes:
        adversary: the adversary against whom the protocol is secure.
        statistical_bits: an unbounded adversary tells a run from a simulated one with an advantage of at most
            2**-statistical_bits.
        estimates: one per assumption on which the protocol rests; at least one.
        parameters: the parameters of the cryptography by name. A number's name ends in its unit or in what it
            counts.

    >>> hash_estimate = Estimate("correlation robustness", 121, "one AES call tests 32 candidates")
    >>> Security("static semi-honest", 40, (hash_estimate,), {"label_bits": 128}).computational_bits
    121

    Raises:
        ValueError: there is no estimate.
    """

    adversary: str
    statistical_bits: int
    estimates: tuple[Estimate, ...]
    parameters: Mapping[str, int | float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.estimates:
            raise ValueError("a statement about security needs an estimate")

    @property
    def weakest(self) -> Estimate:
        """The estimate with the fewest bits."""
        return min(self.estimates, key=lambda estimate: estimate.bits)

    @property
    def computational_bits(self) -> float:
        """The bits of the weakest estimate."""
        return self.weakest.bits
