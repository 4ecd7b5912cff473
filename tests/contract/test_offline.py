"""`delphi`'s offline phase: the weights' cache, the window, and memory that is used again."""

from __future__ import annotations

import threading
from queue import Queue

import numpy as np
import pytest

from pi_bench.crypto.he import PreparedWeights, prepared_bytes
from pi_bench.hybrid import offline_schedule
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.protocol import Party, ProtocolOptions, ShareTrace
from pi_bench.registry import find_protocol
from tests.contract.conftest import LoopbackSession

DELPHI = find_protocol("delphi")


def product_sizes(program) -> list[int]:
    return [prepared_bytes(job.plan) for job in WorkPlan(program, ProtocolOptions("windowed")).products]


def outputs(run, network, **options) -> list[np.ndarray]:
    program, weights, inputs = network
    chosen = ProtocolOptions(mode="exact", **options)
    return [outcome.output for outcome in run(DELPHI, program, weights, inputs[:2], chosen)]


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_cached_weights_give_the_same_answers(run, network, share) -> None:
    program = network[0]
    cache_bytes = int(share * sum(product_sizes(program)))
    cached = outputs(run, network, weight_cache_bytes=cache_bytes)
    assert all(map(np.array_equal, cached, outputs(run, network)))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_cache_keeps_its_bound_and_depends_on_shapes_alone(small_network, share) -> None:
    program, weights, _ = small_network
    sizes = product_sizes(program)
    options = ProtocolOptions("windowed", weight_cache_bytes=int(share * sum(sizes)))
    others = {name: np.zeros_like(array) for name, array in weights.items()}
    cached = []
    for values in (weights, others):
        prepared = DELPHI.server.prepare(program, options, values)
        kinds = [
            isinstance(prepared.products.weights_of(job), PreparedWeights) for job in prepared.plan.products
        ]
        assert prepared.products.cached_bytes == sum(np.array(sizes)[kinds]) <= options.weight_cache_bytes
        cached.append(kinds)
    assert cached[0] == cached[1]
    assert any(cached[0]) == (share > 0)
    assert all(cached[0]) == (share == 1)


def test_one_preparation_serves_two_sessions(small_network) -> None:
    program, weights, inputs = small_network
    options = ProtocolOptions(mode="exact", weight_cache_bytes=1 << 30)
    prepared = DELPHI.server.prepare(program, options, weights)
    results = []
    for _ in range(2):
        with _Pair(program, weights, options, prepared) as pair:
            materials = pair.preprocess(1)
            results.append(pair.infer(materials, inputs[0]))
    assert np.array_equal(*results)


def test_a_window_of_one_byte_asks_one_by_one_and_gives_the_same(run, small_network, monkeypatch) -> None:
    expected = outputs(run, small_network)
    turns = offline_schedule.client_turns
    monkeypatch.setattr(
        "pi_bench.protocols.delphi.offline.client_turns", lambda exchanges: turns(exchanges, window_bytes=1)
    )
    assert all(map(np.array_equal, outputs(run, small_network), expected))


def test_burnt_memory_is_used_again_and_living_memory_never(small_network) -> None:
    program, weights, inputs = small_network
    options = ProtocolOptions(mode="exact")
    with _Pair(program, weights, options) as pair:
        first, second = pair.preprocess(1), pair.preprocess(2)  # both alive
        places = [_places(materials) for materials in (first, second)]
        assert not places[0] & places[1]
        answers = [pair.infer(second, inputs[0]), pair.infer(first, inputs[0])]
        third, fourth = pair.preprocess(3), pair.preprocess(4)
        assert _places(third) | _places(fourth) == places[0] | places[1]
        answers += [pair.infer(third, inputs[0]), pair.infer(fourth, inputs[0])]
    assert all(np.array_equal(answers[0], answer) for answer in answers)


def _places(materials: dict[Party, object]) -> set[int]:
    """Addresses of the tables, labels and states of both parties."""
    found = set()
    for material in materials.values():
        for name, array in material._arrays.items():  # type: ignore[attr-defined]
            if name.partition(":")[0] in ("labels", "garbled", "state", "share", "select"):
                found.add(array.__array_interface__["data"][0])
    return found


class _Pair:
    """Both parties on one in-memory session, led step by step."""

    def __init__(self, program, weights, options, prepared=None) -> None:
        queues: list[Queue] = [Queue(), Queue()]
        self._sides = {}
        for party, (inbox, outbox) in zip(Party, (queues, queues[::-1]), strict=True):
            session = LoopbackSession(party, inbox, outbox, [])
            if party is Party.CLIENT:
                self._sides[party] = DELPHI.client(session, program, options, None)
            else:
                self._sides[party] = DELPHI.server(session, program, options, weights, prepared)

    def __enter__(self) -> _Pair:
        self._both(lambda party, side: side.set_up())
        return self

    def __exit__(self, *_: object) -> None:
        for side in self._sides.values():
            side.close()

    def preprocess(self, number: int) -> dict[Party, object]:
        def step(party, side):
            side.session.trace = ShareTrace()
            return side.preprocess(number)

        return self._both(step)

    def infer(self, materials, encoded: np.ndarray) -> np.ndarray:
        return self._both(
            lambda party, side: side.infer(materials[party], encoded if party is Party.CLIENT else None)
        )[Party.CLIENT]

    def _both(self, step) -> dict:
        results, failures = {}, []

        def play(party: Party) -> None:
            try:
                results[party] = step(party, self._sides[party])
            except BaseException as error:
                failures.append(error)
                self._sides[party].session.hang_up()

        threads = [threading.Thread(target=play, args=(party,)) for party in self._sides]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return results
