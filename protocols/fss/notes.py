"""Says which gadgets compute the activations of a program, and what is experimental."""

from __future__ import annotations

from collections.abc import Iterator

from pi_bench.hybrid.modes import ot_notes
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import Program
from pi_bench.protocol import ProtocolOptions


def gadget_notes(program: Program, options: ProtocolOptions) -> Iterator[str]:
    """Yields a sentence that counts the activations of each gadget, and the sentences of `ot_notes`.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> list(gadget_notes(program, ProtocolOptions("windowed")))
    ['4 activations use shared tables.']
    """
    plan = WorkPlan(program, options, uses_tables=True)
    tables = sum(job.count for job in plan.table_jobs)
    others = [job for job in plan.gadget_jobs if job.table is None]
    one_bit = sum(job.count for job in others if not job.spec.gate_count)
    garbled = sum(job.count for job in others if job.spec.gate_count)
    sentences = [f"{tables:,} activations use shared tables."]
    if garbled:
        sentences.append(f"{garbled:,} are garbled, because their windows are too wide for tables.")
    if one_bit:
        sentences.append(f"{one_bit:,} truncations need one opened bit each, which is uniform.")
    yield " ".join(sentences)
    yield from ot_notes(program, options)
