"""`delphi`'s offline phase: the weights' cache, the window, and memory that is used again."""

from __future__ import annotations

import numpy as np
import pytest

from pi_bench.crypto.he import TransformedWeights, transformed_bytes
from pi_bench.hybrid import offline_schedule
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.protocol import Party, Preprocessing, ProtocolOptions
from pi_bench.registry import find_protocol
from pi_bench.testing import TwoParties

DELPHI = find_protocol("delphi")


def product_sizes(program) -> list[int]:
    return [transformed_bytes(job.plan) for job in WorkPlan(program, ProtocolOptions("windowed")).products]


def outputs(run, network, **options) -> list[np.ndarray]:
    program, weights, inputs = network
    chosen = ProtocolOptions("exact", **options)
    return [outcome.output for outcome in run(DELPHI, program, weights, inputs[:2], chosen)]


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_cached_weights_give_the_same_answers(run, network, fraction) -> None:
    program = network[0]
    cache_bytes = int(fraction * sum(product_sizes(program)))
    cached = outputs(run, network, weight_cache_bytes=cache_bytes)
    assert all(map(np.array_equal, cached, outputs(run, network)))


@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
def test_the_cache_keeps_its_bound_and_depends_on_shapes_alone(small_network, fraction) -> None:
    program, weights, _ = small_network
    sizes = product_sizes(program)
    options = ProtocolOptions("windowed", weight_cache_bytes=int(fraction * sum(sizes)))
    others = {name: np.zeros_like(array) for name, array in weights.items()}
    cached = []
    for values in (weights, others):
        prepared = DELPHI.server.prepare(program, options, values)
        kinds = [
            isinstance(prepared.products.weights_of(job), TransformedWeights)
            for job in prepared.plan.products
        ]
        assert prepared.products.cached_bytes == sum(np.array(sizes)[kinds]) <= options.weight_cache_bytes
        cached.append(kinds)
    assert cached[0] == cached[1]
    assert any(cached[0]) == (fraction > 0)
    assert all(cached[0]) == (fraction == 1)


def test_one_preparation_serves_two_sessions(small_network) -> None:
    program, weights, inputs = small_network
    options = ProtocolOptions("exact", weight_cache_bytes=1 << 30)
    prepared = DELPHI.server.prepare(program, options, weights)
    results = []
    for _ in range(2):
        with TwoParties(DELPHI, program, weights, options, prepared=prepared) as parties:
            results.append(parties.infer(parties.preprocess(), inputs[0]))
    assert np.array_equal(*results)


def test_a_window_of_one_byte_asks_one_by_one_and_gives_the_same(run, small_network, monkeypatch) -> None:
    expected = outputs(run, small_network)
    turns = offline_schedule.client_turns
    monkeypatch.setattr(
        "pi_bench.hybrid.parties.party.client_turns",
        lambda exchanges: turns(exchanges, in_flight_bytes=1),
    )
    assert all(map(np.array_equal, outputs(run, small_network), expected))


def test_burned_memory_is_used_again_and_living_memory_never(small_network) -> None:
    program, weights, inputs = small_network
    options = ProtocolOptions("exact")
    with TwoParties(DELPHI, program, weights, options) as parties:
        first, second = parties.preprocess(), parties.preprocess()  # both alive
        places = [_places(materials) for materials in (first, second)]
        assert not places[0] & places[1]
        answers = [parties.infer(second, inputs[0]), parties.infer(first, inputs[0])]
        third, fourth = parties.preprocess(), parties.preprocess()
        assert _places(third) | _places(fourth) == places[0] | places[1]
        answers += [parties.infer(third, inputs[0]), parties.infer(fourth, inputs[0])]
    assert all(np.array_equal(answers[0], answer) for answer in answers)


def _places(materials: dict[Party, Preprocessing]) -> set[int]:
    """Addresses of the tables, labels and states of both parties."""
    found = set()
    for material in materials.values():
        assert material._arrays is not None
        for name, array in material._arrays.items():
            if name.partition(":")[0] in ("labels", "garbled", "state", "share", "select"):
                found.add(array.__array_interface__["data"][0])
    return found
