"""The floor of every protocol: it counts what the protocol declares, and no possible run is below it."""

from __future__ import annotations

import numpy as np
import pytest

from pi_bench.channel.link import Link
from pi_bench.costs import LIMIT_NAMES, LINK_UNITS, STREAMED, Costs
from pi_bench.prediction.floor import floor_of, script_floor
from pi_bench.prediction.limits import Limits
from pi_bench.prediction.simulated_run import Setting, predict_run
from pi_bench.primitives.built_in import BUILT_IN
from pi_bench.protocol.script import RunScript

LAN, MOBILE = Link.parse("lan"), Link.parse("mobile")
SETTINGS = (
    *((seed, 0.0, None) for seed in range(4)),  # without a link, the machine decides
    (0, 0.0, LAN),
    (0, 0.0, MOBILE),
    (1, 1.0, LAN),
)
"""Seed of the machine, mean excess of its costs over the limits, and link. A run exactly at the limits comes
nearest to the floor."""


def machine(seed: int) -> Limits:
    """Limits of a made-up machine, of the order of those of a real one."""
    generator = np.random.default_rng(seed)
    typical = dict(zip(LIMIT_NAMES, (4e-10, 1e-11, 3e-11, 4e-11, 2e-11, 2e-10, 1e-5), strict=True))
    unit_s = {name: value * generator.uniform(0.3, 3) for name, value in typical.items()}
    return Limits(unit_s, threads=1, cache_bytes=int(generator.integers(0, 100_000)))


def costs_of(script: RunScript, own, limits: Limits, excess: float) -> Costs:
    """Costs of a run on that machine: no unit takes less than its minimal work at the limits, and each takes
    more by a random share, `excess` in the mean."""
    generator = np.random.default_rng(0)
    least = {unit: work.amounts for primitive in (*BUILT_IN, *own) for unit, work in primitive.least.items()}
    used = {
        unit
        for phase in (script.offline, script.online)
        for role in phase.roles.values()
        for action in role.actions
        for unit in action.work.units
    }
    unit_s = {
        unit: max((n * limits.unit_s[name] for name, n in least.get(unit, {}).items()), default=0.0)
        * (1 + generator.exponential(excess))
        for unit in (*sorted(used), STREAMED)
    }
    linked = {"hop": limits.unit_s["round_trip"] / 2, "byte received": limits.unit_s["socket"]}
    return Costs({**unit_s, **dict.fromkeys(LINK_UNITS, 0.0), **linked}, threads=1, machine={})


def test_no_run_that_keeps_to_the_limits_is_below_the_floor(protocol, options, network) -> None:
    if protocol.script is None:
        pytest.skip("without a script no run can be simulated")
    program = network[0]
    script = protocol.script(program, options)
    for seed, excess, link in SETTINGS:
        limits = machine(seed)
        floor = floor_of(protocol, program, options, limits, link)
        simulated = predict_run(script, Setting(costs_of(script, protocol.primitives, limits, excess), link))
        for phase in ("offline", "online"):
            least, found = getattr(floor, phase), getattr(simulated, phase)
            assert 0 < least.whole.time_s <= found.time_s * (1 + 1e-9)
            for operator in least.operators.values():
                assert operator.time_s <= least.whole.time_s * (1 + 1e-9)


def test_the_floor_has_the_bytes_of_every_protocol(protocol, network) -> None:
    program, options = network[0], protocol.configure()
    link = Link("slow", rtt_s=0.0, up_bits_per_s=8e6, down_bits_per_s=8e6)
    floor = floor_of(protocol, program, options, machine(0), link)
    predicted = protocol.predict(program, options)
    for phase, sent in ((floor.offline, predicted.offline), (floor.online, predicted.online)):
        assert phase.whole.link_s >= max(sent.values(), default=0) * 1e-6
    assert floor.online.whole.bound_by == "link"


def test_rounds_that_a_run_has_shown_count_without_a_script(protocol, small_network) -> None:
    if protocol.script is not None:
        pytest.skip("its script tells the rounds")
    options, link = protocol.configure(), Link.parse("wan")
    floor = floor_of(protocol, small_network[0], options, machine(0), link, round_count=7.0)
    assert floor.online.whole.time_s >= 7 * 0.04


def test_the_floor_has_the_least_work_of_the_protocol_s_own_primitives(protocol, small_network) -> None:
    """A protocol that declares least work of its own, and counts the unit, finds it at one of its parties."""
    own = {unit for primitive in protocol.primitives for unit in primitive.least}
    if protocol.script is None or not own:
        pytest.skip("it declares none")
    program, options = small_network[0], protocol.configure()
    script = protocol.script(program, options)
    with_own, without = (script_floor(script, given, machine(0)) for given in (protocol.primitives, ()))
    assert any(
        sum(with_phase.whole.work[party].values()) > sum(phase.whole.work[party].values())
        for with_phase, phase in ((with_own.offline, without.offline), (with_own.online, without.online))
        for party in phase.whole.work
    )
