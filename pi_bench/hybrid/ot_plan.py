"""The batches of OTs of an inference in both directions, where its construction has any.

SoftSpoken extends any number of OTs at any time. Ferret needs to know the numbers from the start. They follow
from the public program, as everything here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pi_bench.costs import NOTHING, CostUnits
from pi_bench.crypto.ferret_plan import (
    FerretBatch,
    FerretPlan,
    correction_bytes,
    ferret_batches,
    set_up_bytes,
)
from pi_bench.primitives.ot import ot_work


@dataclass(frozen=True)
class DirectionPlan:
    """Describes the OTs of one direction. There are no batches if SoftSpoken extends them.

    >>> plan = DirectionPlan(ferret_batches(1000))
    >>> plan.set_up_bytes, plan.correction_bytes, DirectionPlan().set_up_bytes
    (262400, 512, 0)
    """

    batches: tuple[FerretBatch, ...] = ()

    @cached_property
    def set_up_bytes(self) -> int:
        """The size of the OT receiver's first message."""
        return set_up_bytes(self.batches)

    @cached_property
    def correction_bytes(self) -> int:
        """The size of the OT sender's answer to it."""
        return correction_bytes(self.batches)

    def ferret(self, context: bytes, direction: str, *, even: bool) -> FerretPlan:
        """Returns the plan of an instance. `context` names the session and the inference.

        >>> DirectionPlan(ferret_batches(1000)).ferret(b"inference 7", "labels", even=False).ot_count
        2048
        """
        return FerretPlan(self.batches, direction.encode() + b"\0" + context, even=even)

    def set_up_work(self, role: str) -> CostUnits:
        """Counts the OTs of SoftSpoken that `role`, "receiver" or "sender", extends for the first batch."""
        return ot_work(f"extend {role}", self.batches[0].input_count) if self.batches else NOTHING

    def batch_work(self, role: str) -> CostUnits:
        """Counts the work of all batches before the first OT is given out.

        Each batch makes the inputs of the next one, and the sender's corrections need all trees.

        >>> DirectionPlan(ferret_batches(1000)).batch_work("sender").units
        {'ot silent correct': 2048.0}
        """
        inputs = sum(batch.input_count for batch in self.batches[1:])
        work = ot_work(f"silent {role}", inputs) if inputs else NOTHING
        if role == "sender" and self.batches:
            work += ot_work("silent correct", sum(batch.output_count for batch in self.batches))
        return work


@dataclass(frozen=True)
class OtPlan:
    """Holds the plans of both directions: of the labels, and of the reverse OTs.

    >>> OtPlan.silent_for(label_count=1000, reverse_count=0).reverse.batches
    ()
    """

    labels: DirectionPlan = DirectionPlan()
    reverse: DirectionPlan = DirectionPlan()

    @classmethod
    def silent_for(cls, label_count: int, reverse_count: int) -> OtPlan:
        """Returns the plan by which Ferret makes these numbers of OTs."""
        labels, reverse = map(DirectionPlan, map(ferret_batches, (label_count, reverse_count)))
        return cls(labels, reverse)
