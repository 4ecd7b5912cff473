"""Scripts of two parties on made-up costs, where every time can be reckoned by hand."""

from dataclasses import replace

import pytest

from pi_bench.channel.frame import HEADER_BYTES
from pi_bench.channel.link import Link
from pi_bench.costs import CONTENTION, LINK_UNITS, Costs, CostUnits
from pi_bench.prediction.predicted_phase import PredictedPhase
from pi_bench.prediction.simulation import Simulation
from pi_bench.protocol import Party
from pi_bench.protocol.script import PhaseScript, Purpose

ONE_S = CostUnits({"word": 1.0})
LINK = Link("test", rtt_s=0.5, up_bits_per_s=8e3, down_bits_per_s=16e3)
OTHER = Purpose.OTHER
BYTES = {"byte sent": 1e-3, "byte received": 1e-3}


def costs(**unit_s: float) -> Costs:
    return Costs({**dict.fromkeys(LINK_UNITS, 0.0), "word": 1.0, **unit_s}, 1, {})


def simulate(script: PhaseScript, link: Link | None = None, **unit_s: float) -> PredictedPhase:
    return Simulation(costs(**unit_s), link).run(script)


def ping_pong() -> PhaseScript:
    script = PhaseScript("online")
    script.client.compute(0, "", OTHER, ONE_S)
    script.message(Party.CLIENT, 0, "", OTHER, 1000 - HEADER_BYTES)
    script.server.compute(1, "", OTHER, CostUnits({"word": 2.0}))
    script.message(Party.SERVER, 1, "", OTHER, 2000 - HEADER_BYTES)
    script.client.compute(1, "", OTHER, ONE_S)
    return script


def test_turns_add_up() -> None:
    phase = simulate(ping_pong())
    assert phase.time_s == 4
    assert phase.depth == 2
    client, server = phase.spans[Party.CLIENT], phase.spans[Party.SERVER]
    assert (client[1, ""].compute_s, client[1, ""].wait_s) == (1, 2)
    assert (server[0, ""].wait_s, server[1, ""].compute_s) == (1, 2)
    assert client[0, ""].sent_wire_bytes == 1000 and server[1, ""].sent_wire_bytes == 2000
    assert client[0, ""].sent_bytes == 1000 - HEADER_BYTES


def test_each_party_fills_its_time() -> None:
    phase = simulate(ping_pong(), LINK, **BYTES, message=0.25, hop=0.125)
    booked = sum(s.compute_s + s.send_s + s.wait_s for s in phase.spans[Party.CLIENT].values())
    assert booked == pytest.approx(phase.time_s)


def test_a_link_adds_transfer_and_delay_each_way() -> None:
    assert simulate(ping_pong(), LINK).time_s == pytest.approx(4 + 0.5 + 1000 / 1e3 + 2000 / 2e3)


def test_messages_of_one_direction_queue_and_those_of_two_do_not() -> None:
    script = PhaseScript("online")
    for role in (script.client, script.server):
        for _ in range(3):
            role.send(0, "", OTHER, 1000 - HEADER_BYTES)
        for _ in range(3):
            role.receive(0, "", OTHER, 1000 - HEADER_BYTES)
    phase = simulate(script, LINK)
    waits = {party: sum(span.wait_s for span in phase.spans[party].values()) for party in Party}
    assert waits[Party.SERVER] == pytest.approx(3 * 1000 / 1e3 + 0.25)
    assert phase.time_s == waits[Party.CLIENT] == pytest.approx(3 * 1000 / 2e3 + 0.25)
    assert phase.depth == 1


def test_parties_overlap() -> None:
    """The server works on the next answer while the client works on the last one."""
    script = PhaseScript("online")
    for _ in range(10):
        script.server.compute(0, "", OTHER, ONE_S)
        script.message(Party.SERVER, 0, "", OTHER, 1)
        script.client.compute(0, "", OTHER, ONE_S)
    assert simulate(script).time_s == 11


def test_bytes_are_copied_out_while_more_are_copied_in() -> None:
    script = PhaseScript("online")
    script.message(Party.CLIENT, 0, "", OTHER, 1000 - HEADER_BYTES)
    script.message(Party.SERVER, 0, "", OTHER, 0)
    assert simulate(script).time_s == 0
    assert simulate(script, **BYTES).time_s == pytest.approx(1.0 + HEADER_BYTES * 1e-3)


def test_a_receiver_that_slept_is_woken() -> None:
    assert simulate(ping_pong(), wake=0.1).time_s == pytest.approx(4.2)
    fast = Simulation(costs(word=1e-6, wake=0.1)).run(ping_pong())
    assert fast.time_s == pytest.approx(4e-6)  # it was still asking
    unpolled = Simulation(costs(word=1e-6, wake=0.1), polls=False).run(ping_pong())
    assert unpolled.time_s == pytest.approx(0.2, rel=1e-3)


def test_parties_slow_each_other_down_as_measured() -> None:
    contention = {**dict.fromkeys(CONTENTION, 1.0), "server online": 3.0, "server offline": 9.0}
    slowed = Simulation(replace(costs(), contention=contention)).run(ping_pong())
    assert slowed.time_s == 1 + 3 * 2 + 1


def test_tables_are_read_while_a_party_asks() -> None:
    """The wait before it hides the reading from memory, as long as the receiver asks."""
    script = PhaseScript("online")
    script.server.compute(0, "", OTHER, CostUnits({"word": 1.0}))
    script.message(Party.SERVER, 0, "", OTHER, 1)
    script.client.compute(0, "", OTHER, CostUnits({"word": 1.0, "table byte": 3.0}))
    unit_s = {"word": 4e-4, "table byte": 2e-4}
    assert simulate(script, **unit_s).time_s == pytest.approx(8e-4 + 6e-4 - 4e-4)
    assert simulate(script, **unit_s, hop=1.0).time_s == pytest.approx(1 + 8e-4 + 6e-4 - 1e-3, abs=5e-4)
    unpolled = Simulation(costs(**unit_s), polls=False).run(script)
    assert unpolled.time_s == pytest.approx(8e-4 + 6e-4)


def test_flushing_waits_for_the_link() -> None:
    script = ping_pong()
    script.server.flush(1, "")
    script.message(Party.SERVER, -1, "", OTHER, 0, between=True)
    phase = simulate(script, LINK)
    assert phase.spans[Party.SERVER][1, ""].send_s == pytest.approx(2000 / 2e3 + 0.25)


def test_words_between_phases_count_for_none() -> None:
    script = PhaseScript("online")
    script.message(Party.CLIENT, -1, "", OTHER, 8, between=True)
    script.server.compute(0, "", OTHER, ONE_S)
    script.message(Party.SERVER, 0, "", OTHER, 5)
    phase = simulate(script)
    assert phase.depth == 1
    assert sum(span.sent_count for spans in phase.spans.values() for span in spans.values()) == 1


def test_a_script_that_cannot_end_is_refused() -> None:
    script = PhaseScript("online")
    script.client.receive(0, "", OTHER, 1)
    script.server.receive(0, "", OTHER, 1)
    with pytest.raises(ValueError, match="does not end"):
        simulate(script)
    lost = PhaseScript("online")
    lost.client.send(0, "", OTHER, 1)
    with pytest.raises(ValueError, match="does not end"):
        simulate(lost)


def test_a_message_has_one_size() -> None:
    script = PhaseScript("online")
    script.client.send(0, "", OTHER, 1)
    script.server.receive(0, "", OTHER, 2)
    with pytest.raises(ValueError, match="2 bytes are due where 1 come"):
        simulate(script)
