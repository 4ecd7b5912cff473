"""The law of trace files, for tests of the writer and of `pi-bench latency --trace`."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

Event = dict[str, Any]
PROCESSES = {"client": 1, "server": 2}
LEVELS = ("phase", "layer", "part", "activity")


def level(event: Event) -> int:
    """How deep an event stands: a phase is 0, and what the party did is 3."""
    category = event["cat"]
    return LEVELS.index("activity" if category in ("compute", "send", "wait") else category)


def require_lawful(document: dict[str, Any]) -> None:
    """Fails unless events nest and do not overlap within a lane, and arrows have both their ends."""
    lanes, arrows = defaultdict(list), defaultdict(dict)
    for event in document["traceEvents"]:
        if event["ph"] == "X":
            lanes[event["pid"], event["tid"]].append(event)
        elif event["ph"] in "sf":
            assert type(event["id"]) is int, "Perfetto drops an arrow whose id is not a number"
            assert event["ph"] not in arrows[event["id"]], "an arrow has two beginnings or two ends"
            arrows[event["id"]][event["ph"]] = event
    assert set(lanes) == {(process, 1) for process in PROCESSES.values()}
    for lane in lanes.values():
        _require_nesting(lane)
    uncertainty_us = document["otherData"]["clock_uncertainty_us"]
    for ends in arrows.values():
        assert set(ends) == {"s", "f"}
        begins, arrives = ends["s"], ends["f"]
        assert begins["pid"] != arrives["pid"]
        sent, received = (_innermost(lanes[end["pid"], end["tid"]], end["ts"]) for end in (begins, arrives))
        assert sent["cat"] == "send" and received["cat"] == "wait"
        assert sent["args"] == received["args"]
        assert begins["ts"] - sent["ts"] == (0.125 if sent["dur"] > 0.125 else 0)  # a tick
        assert received["ts"] + received["dur"] >= begins["ts"] - uncertainty_us - 0.25  # two ticks


def _require_nesting(lane: list[Event]) -> None:
    """Events stand in the order of time, an outer one before those within it, as viewers need it."""
    open_events: list[Event] = []
    for event in lane:
        assert event["dur"] >= 0
        while open_events and event["ts"] >= open_events[-1]["ts"] + open_events[-1]["dur"]:
            if level(open_events[-1]) < level(event) and open_events[-1]["dur"] == event["dur"] == 0:
                break
            open_events.pop()
        if open_events:
            outer = open_events[-1]
            assert level(outer) < level(event), "two events of a lane overlap"
            assert outer["ts"] <= event["ts"]
            assert event["ts"] + event["dur"] <= outer["ts"] + outer["dur"], "an event outlasts the outer one"
        else:
            assert level(event) == 0, "an event is in no phase"
        open_events.append(event)


def _innermost(lane: list[Event], time: float) -> Event:
    inside = [
        event
        for event in lane
        if level(event) == 3
        and (event["ts"] <= time < event["ts"] + event["dur"] or (event["ts"] == time and not event["dur"]))
    ]
    return inside[-1]
