"""Seconds a unit of work, as one machine was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from pi_bench.costs.work import GADGET_STEPS, OT_STEPS, STREAMED, CostUnits
from pi_bench.errors import InputError

UNITS: tuple[str, ...] = (
    *(
        f"{step} {exact}{kind}"
        for step in GADGET_STEPS
        for exact in ("", "exact ")
        for kind in ("relu", "truncation")
    ),
    *(f"{step} gate" for step in GADGET_STEPS),
    *(f"{step} chunk of {bits}" for step in GADGET_STEPS for bits in (2, 3, 4)),
    *(f"ot {step}" for step in OT_STEPS),
    *("encrypt polynomial", "decrypt polynomial", "decrypt coefficient"),
    *("load polynomial", "answer polynomial", "answer coefficient"),
    *("product", "product of runs", "transform", "transform of runs"),
    *("ring multiply-add", "ring plane multiply-add", "ring weight", "ring input", "ring output"),
    *("word", "random word", STREAMED),
    *("client slice", "server slice", "linear operator", "client exchange", "server exchange"),
    *("client end", "server end"),
    *("message", "byte sent", "byte received", "hop", "wake"),
)
"""Every unit of a prediction. A gadget's step: an element, and each of its gates (chunks of labels: an OT
more); a byte of its tables that evaluation brings from memory. OT: one. HE: a polynomial, a released
coefficient, a product or transform of one (of runs: kernels of one tap). Ring: a multiply-accumulate, and a
word of weights, input and output. `word`: a vector operation on four bytes. What a slice of a gadget online,
a linear operator, an offline exchange and both ends of an inference cost whatever their size. A message, a
byte of it at each side, the way of a small one, and being woken by it."""

CONTENTION = tuple(f"{party} {phase}" for phase in ("offline", "online") for party in ("client", "server"))
"""Where one party's computing meets the other's: they share caches, memory and often more."""


@dataclass(frozen=True, slots=True)
class Costs:
    """`unit_s`: seconds of each of `UNITS`, at `threads` a party. `machine`: where and with what it was
    measured, in words. `contention`: how many times as long computing takes beside the other party, by
    `CONTENTION`; 1 where it is not given."""

    unit_s: Mapping[str, float]
    threads: int
    machine: Mapping[str, str]
    contention: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(CONTENTION, 1.0))

    def __post_init__(self) -> None:
        names = (*self.unit_s, *self.contention)
        missing = [name for name in (*UNITS, *CONTENTION) if name not in names]
        unknown = [name for name in names if name not in (*UNITS, *CONTENTION)]
        if missing or unknown:
            what = f"lack {missing[0]!r}" if missing else f"have the unknown unit {unknown[0]!r}"
            raise InputError(f"costs {what}; measure them again with this version of pi-bench")
        if not all(1 <= factor < 1e3 for factor in self.contention.values()):
            raise InputError("costs: the other party makes computing neither faster nor endless")
        for name, value in self.unit_s.items():
            if not (math.isfinite(value) and 0 <= value < 1e3):
                raise InputError(f"costs: {name!r} takes {value} s, which cannot be")

    def seconds(self, work: CostUnits) -> float:
        """What it takes one party, alone on its cores."""
        return sum(amount * self.unit_s[name] for name, amount in work.units.items())

    def without(self, names: Sequence[str]) -> Self:
        """The same machine if these units took no time."""
        return replace(self, unit_s={**self.unit_s, **dict.fromkeys(names, 0.0)})
