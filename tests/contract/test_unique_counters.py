"""No counter of an OT extension twice, in runs whose OTs are extended where their labels are used.

`test_unique_pads.py` extends the OTs of tables before, so that it sees their labels.
"""

from __future__ import annotations

from collections import Counter

import pytest

from pi_bench import _native
from pi_bench.crypto import ot_extension
from pi_bench.hybrid import work_plan
from pi_bench.registry import find_protocol

FSS = find_protocol("fss")


class Counters:
    """Counts (leaves, chunk) by the party of an extension and by the way in which it is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: dict[tuple[str, str], Counter] = {}
        for role in ("sender", "receiver"):
            self._watch_extend(monkeypatch, role)
            self._watch_postponed(monkeypatch, role)

    def _add(self, role: str, way: str, leaves: object, first: int, count: int) -> None:
        chunks = range(first, first + -(-count // _native.ot.CHUNK_OTS))
        found = self.of.setdefault((role, way), Counter())
        found.update((bytes(leaves), chunk) for chunk in chunks)  # type: ignore[call-overload]

    def _watch_extend(self, monkeypatch: pytest.MonkeyPatch, role: str) -> None:
        original = getattr(_native.ot, f"extend_{role}")

        def extend(leaves, *arguments):
            self._add(role, "before", leaves, *arguments[role == "sender" :][:2])
            return original(leaves, *arguments)

        monkeypatch.setattr(_native.ot, f"extend_{role}", extend)

    def _watch_postponed(self, monkeypatch: pytest.MonkeyPatch, role: str) -> None:
        name = f"{role.capitalize()}Ots"
        original = getattr(ot_extension, name)

        def made(**arguments):
            self._add(role, "in a kernel", *(arguments[key] for key in ("leaves", "first_chunk", "count")))
            return original(**arguments)

        monkeypatch.setattr(ot_extension, name, made)


@pytest.fixture
def counters(monkeypatch: pytest.MonkeyPatch) -> Counters:
    return Counters(monkeypatch)


@pytest.mark.parametrize("ahead", [1, 2])
@pytest.mark.parametrize("mode", ["windowed", "exact"])
def test_no_counter_serves_twice(mode, ahead, small_network, run, counters, monkeypatch) -> None:
    """Of two offline phases, or of one that prepares both inferences."""
    monkeypatch.setattr(work_plan, "OFFLINE_SLICE_OTS", 1)  # a slice a group, so that slices matter
    program, weights, inputs = small_network
    run(FSS, program, weights, [inputs[0]] * 2, FSS.configure(mode, ahead=ahead))
    assert len(counters.of) == 4, "both parties make OTs in both ways"
    for role in ("sender", "receiver"):
        all_of_role = counters.of[role, "before"] + counters.of[role, "in a kernel"]
        ((counter, count),) = all_of_role.most_common(1)
        assert count == 1, f"{role}: chunk {counter[1]} serves {count} times"
    # The parties' leaves differ, and their chunks are the same ones.
    sent, received = (
        Counter(chunk for way in ("before", "in a kernel") for _, chunk in counters.of[role, way])
        for role in ("sender", "receiver")
    )
    assert sent == received
