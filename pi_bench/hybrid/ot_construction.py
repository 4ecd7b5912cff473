"""The constructions by which an inference extends its OTs. Each one is an object that plans ask.

A further construction is one more class here and in `CONSTRUCTIONS`, and its instances at both parties
(`pi_bench.hybrid.parties.silent`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from pi_bench.costs import CostUnits
from pi_bench.crypto.ferret_plan import choice_bytes
from pi_bench.crypto.ot_extension import extension_bytes
from pi_bench.hybrid.ot_plan import OtPlan
from pi_bench.primitives.ot import ot_work


class OtConstruction(ABC):
    """Describes a construction of correlated OTs by its messages, its work and its plan.

    Attributes:
        name: the value of ``--ot``.
        experimental: why results must warn of it; empty if they need not.
        begins_with_set_up: whether the parties exchange a set-up and corrections before the first OT, which
            takes a round trip. The reverse delta is then even.
        extends_within: whether the steps of shared tables make the labels themselves, where they use them.
        added_s_per_ot: the computing per OT beyond that of SoftSpoken. ``--ot auto`` weighs it against bytes.
            It is a public price, the same on every machine.

    >>> [one.name for one in CONSTRUCTIONS.values() if one.begins_with_set_up]
    ['ferret']
    """

    name: ClassVar[str]
    experimental: ClassVar[str] = ""
    begins_with_set_up: ClassVar[bool] = False
    extends_within: ClassVar[bool] = False
    added_s_per_ot: ClassVar[float] = 0.0

    @abstractmethod
    def choice_bytes(self, count: int) -> int:
        """Returns the size of the message by which `count` OTs are chosen."""

    @abstractmethod
    def work(self, role: str, count: int) -> CostUnits:
        """Counts the work of extending `count` OTs, by role: "receiver" or "sender"."""

    @abstractmethod
    def plan(self, label_count: int, reverse_count: int) -> OtPlan:
        """Returns the plan of an inference that uses these numbers of OTs."""


class SoftSpoken(OtConstruction):
    """Extends any number of OTs at any time.

    >>> SOFTSPOKEN.choice_bytes(128), SOFTSPOKEN.work("sender", 128).units
    (512, {'ot extend sender': 128.0})
    """

    name = "softspoken"
    extends_within = True

    def choice_bytes(self, count: int) -> int:
        """Returns the size of the message by which `count` OTs are chosen."""
        return extension_bytes(count)

    def work(self, role: str, count: int) -> CostUnits:
        """Counts the work of extending `count` OTs, by role: "receiver" or "sender"."""
        return ot_work(f"extend {role}", count)

    def plan(self, label_count: int, reverse_count: int) -> OtPlan:
        """Returns a plan without batches, whatever the numbers are."""
        return OtPlan()


class Ferret(OtConstruction):
    """Makes a number of OTs that it knows from the start, on top of a few of SoftSpoken.

    >>> FERRET.choice_bytes(128), FERRET.work("sender", 64).units
    (16, {'ot silent sender': 64.0})
    """

    name = "ferret"
    experimental = "its parameters of learning parity with noise were estimated inside this project alone"
    begins_with_set_up = True
    added_s_per_ot = 10e-9

    def choice_bytes(self, count: int) -> int:
        """Returns the size of the message by which `count` OTs are chosen."""
        return choice_bytes(count)

    def work(self, role: str, count: int) -> CostUnits:
        """Counts the work of extending `count` OTs, by role: "receiver" or "sender"."""
        return ot_work(f"silent {role}", count)

    def plan(self, label_count: int, reverse_count: int) -> OtPlan:
        """Returns the batches of both directions."""
        return OtPlan.silent_for(label_count, reverse_count)


SOFTSPOKEN = SoftSpoken()
FERRET = Ferret()
CONSTRUCTIONS: dict[str, OtConstruction] = {one.name: one for one in (SOFTSPOKEN, FERRET)}
"""The constructions by name. The first one is the default."""
