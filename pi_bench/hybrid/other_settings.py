"""Other settings of a run that are worth predicting, for `ProtocolInfo.alternatives` of hybrid protocols."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pi_bench.arithmetic.activation_law import WINDOWED
from pi_bench.crypto.he import HE_PLANS, transformed_bytes
from pi_bench.hybrid.modes import HE_PLAN, LABEL_CHUNK, OT, ot_construction, settled, window_law
from pi_bench.hybrid.ot_construction import CONSTRUCTIONS
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import Program
from pi_bench.protocol.interface import OtherSettings
from pi_bench.protocol.options import ProtocolOptions
from pi_bench.protocol.script import Purpose


def hybrid_alternatives(program: Program, options: ProtocolOptions) -> Iterator[OtherSettings]:
    """Yields other settings of a hybrid protocol with garbled gadgets, one change at a time.

    Offers every other label chunk, and then those of `cheaper_settings`. Offers no other garbling, because
    three halves are experimental.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> [other.change for other in hybrid_alternatives(program, ProtocolOptions("windowed"))]
    ['--label-chunk 2', '--label-chunk 3', '--label-chunk 4', '--he-plan bytes', '--ot ferret',
     '--weight-cache 1']
    """
    for bits in LABEL_CHUNK.values:
        if bits != LABEL_CHUNK.of(options):
            other = options.with_value(LABEL_CHUNK.name, bits)
            yield OtherSettings(f"{LABEL_CHUNK.flag} {bits}", other, (Purpose.RELU,))
    yield from cheaper_settings(program, options)


def cheaper_settings(program: Program, options: ProtocolOptions) -> Iterator[OtherSettings]:
    """Yields windowed mode in place of exact mode, the other packings of products, and a larger weight cache.

    The cache then holds every transformed weight. Each is left out where it changes nothing.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> [other.change for other in cheaper_settings(program, ProtocolOptions("exact"))]
    ['--mode windowed', '--he-plan bytes', '--ot ferret', '--weight-cache 1']
    """
    if window_law(options).exact:
        cheaper = replace(options, mode=WINDOWED.name)
        yield OtherSettings(f"--mode {cheaper.mode}", cheaper, (Purpose.RELU,))
    for objective in HE_PLANS:
        if objective != settled(HE_PLAN, options):
            other = options.with_value(HE_PLAN.name, objective)
            yield OtherSettings(f"{HE_PLAN.flag} {objective}", other, (Purpose.LINEAR,))
    purposes = Purpose.RELU, Purpose.TRUNCATION, Purpose.OTHER
    for name, construction in CONSTRUCTIONS.items():
        if name != ot_construction(options).name:
            other, experimental = options.with_value(OT.name, name), bool(construction.experimental)
            yield OtherSettings(f"{OT.flag} {name}", other, purposes, experimental)
    needed = sum(transformed_bytes(job.plan) for job in WorkPlan(program, options).products)
    if needed > options.weight_cache_bytes:
        megabytes = -(-needed // 10**6)
        cached = replace(options, weight_cache_bytes=megabytes * 10**6)
        yield OtherSettings(f"--weight-cache {megabytes}", cached, (Purpose.LINEAR,))
