import pytest

from pi_bench.channel.frame import HEADER_BYTES
from pi_bench.channel.link import Link
from pi_bench.costs import LIMIT_NAMES, STREAMED, CostUnits
from pi_bench.prediction.floor import script_floor
from pi_bench.prediction.limits import Limits
from pi_bench.protocol import Party
from pi_bench.protocol.script import PhaseScript, Purpose, RunScript

RECORDED = Limits(
    {
        "aes": 4e-10,
        "cache": 1.2e-11,
        "memory": 3e-11,
        "multiply_add": 4e-11,
        "ring_multiply_add": 1.8e-11,
        "socket": 2e-10,
        "round_trip": 9e-6,
    },
    threads=1,
    cache_bytes=1_000_000,
)


def script() -> RunScript:
    return RunScript(PhaseScript("offline"), PhaseScript("online"))


def test_parties_and_kinds_of_work_overlap() -> None:
    """The largest of all times, and not their sum."""
    phases = script()
    online = phases.online
    for _ in range(2):  # in two actions: amounts of one kind add up
        online.client.compute(1, "", Purpose.RELU, CostUnits({"evaluate gate": 500.0, STREAMED: 8e3}))
    online.server.compute(2, "", Purpose.LINEAR, CostUnits({"ring multiply-add": 1e5}))
    online.message(Party.SERVER, 3, "", Purpose.OTHER, 1000)
    floor = script_floor(phases, (), RECORDED).online
    assert floor.whole.client_s == pytest.approx(2 * 1000 * 4e-10)  # AES; the bytes take less
    assert floor.whole.server_s == pytest.approx(1e5 * 1.8e-11)
    assert floor.whole.link_s == pytest.approx((1000 + HEADER_BYTES) * 2e-10 + 4.5e-6)
    assert floor.whole.time_s == floor.whole.link_s and floor.whole.bound_by == "link"
    assert floor.operators[1].time_s == floor.whole.client_s


def test_work_after_the_last_message_is_not_waited_for() -> None:
    phases = script()
    phases.online.message(Party.SERVER, 0, "", Purpose.OTHER, 4)
    phases.online.server.compute(1, "", Purpose.LINEAR, CostUnits({"ring multiply-add": 1e9}))
    assert script_floor(phases, (), RECORDED).online.whole.server_s == 0


def test_dependent_messages_and_bytes_add_up_on_a_link() -> None:
    link = Link("asked", rtt_s=0.04, up_bits_per_s=8e6, down_bits_per_s=8e7)
    phases = script()
    phases.offline.message(Party.CLIENT, 0, "", Purpose.OTHER, 1_000_000 - HEADER_BYTES)
    phases.offline.message(Party.SERVER, 0, "", Purpose.OTHER, 10_000_000 - HEADER_BYTES)
    floor = script_floor(phases, (), RECORDED, link).offline
    assert floor.whole.link_s == pytest.approx(1.0 + 1.0 + 0.04)
    assert floor.operators[0].link_s == pytest.approx(1.0)  # one direction of an operator


def test_stored_material_may_still_be_in_a_cache() -> None:
    in_cache, beyond = RECORDED.memory_s(1e6), RECORDED.memory_s(3e6)
    assert in_cache == pytest.approx(1e6 * 1.2e-11)
    assert beyond == pytest.approx(1e6 * 1.2e-11 + 2e6 * 3e-11)
    hidden = Limits(RECORDED.unit_s, threads=1, cache_bytes=None)
    assert hidden.memory_s(3e6) == pytest.approx(3e6 * 1.2e-11)


def test_a_rate_far_below_the_usual_one_is_named() -> None:
    usual = dict(RECORDED.unit_s)
    slower = Limits({**usual, "aes": usual["aes"] * 2, "memory": usual["memory"] * 1.5}, 1, earlier=(usual,))
    assert slower.far_below_usual() == {"aes": pytest.approx(0.5)}
    assert set(LIMIT_NAMES) == set(usual)
