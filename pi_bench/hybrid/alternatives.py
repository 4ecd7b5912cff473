"""Other settings of a run that are worth predicting: `ProtocolInfo.alternatives` of hybrid protocols."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pi_bench.crypto.he import prepared_bytes
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import Program
from pi_bench.protocol.interface import OtherSettings, ProtocolOptions
from pi_bench.protocol.script import Purpose


def hybrid_alternatives(program: Program, options: ProtocolOptions) -> Iterator[OtherSettings]:
    """Yields other settings of a hybrid protocol, one change at a time.

    Offers every other label chunk, windowed mode in place of exact mode, and a weight cache that holds
    every transformed weight if the present one does not.
    """
    for bits in (1, 2, 3, 4):
        if bits != options.label_chunk:
            yield OtherSettings(f"--label-chunk {bits}", replace(options, label_chunk=bits), (Purpose.RELU,))
    if options.mode == "exact":
        yield OtherSettings("--mode windowed", replace(options, mode="windowed"), (Purpose.RELU,))
    needed = sum(prepared_bytes(job.plan) for job in WorkPlan(program, options).products)
    if needed > options.weight_cache_bytes:
        megabytes = -(-needed // 10**6)
        cached = replace(options, weight_cache_bytes=megabytes * 10**6)
        yield OtherSettings(f"--weight-cache {megabytes}", cached, (Purpose.LINEAR,))
