"""``auto``: what it chooses follows from the program and the link, and saves what it promises."""

from __future__ import annotations

import numpy as np
import pytest

from pi_bench.channel.link import Link
from pi_bench.hybrid.link_choice import settle_by_link
from pi_bench.hybrid.modes import AUTO, BY_LINK
from pi_bench.hybrid.offline_schedule import offline_schedule
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph import ConvNode, Graph, InputNode, OutputNode, ReluNode
from pi_bench.network.program import Program
from pi_bench.protocol import ProtocolOptions


def program_of(relu_count: int) -> Program:
    shape = (relu_count,)
    nodes = InputNode("x", (), shape), ReluNode("r", ("x",), shape), OutputNode("y", ("r",), shape)
    return compile_graph(Graph(nodes, {}, ranges={"x": 1.0, "r": 1.0, "y": 1.0}))[0]


def options(kind: str, mode: str = "windowed") -> ProtocolOptions:
    return ProtocolOptions(mode, values={"ot": kind})


def chosen(relu_count: int, link: str | None, *, uses_tables: bool = False) -> object:
    where = None if link is None else Link.parse(link)
    return settle_by_link(program_of(relu_count), options("auto"), where, uses_tables=uses_tables).values[
        "ot"
    ]


@pytest.mark.parametrize("uses_tables", [False, True])
def test_auto_takes_ferret_where_bytes_cost_more_than_computing(uses_tables: bool) -> None:
    slow_up = "rtt=40ms,up=10Mbit,down=100Mbit"
    assert chosen(200_000, slow_up, uses_tables=uses_tables) == "ferret"
    assert chosen(200_000, None, uses_tables=uses_tables) == "softspoken"
    assert chosen(200_000, "100Gbit,1us", uses_tables=uses_tables) == "softspoken"
    assert chosen(64, slow_up, uses_tables=uses_tables) == "softspoken"  # the set-up alone is more
    # Tables of circuits fill the way down, and most choices of OTs go up at the same time.
    assert chosen(200_000, "100Mbit,40ms", uses_tables=uses_tables) == (
        "ferret" if uses_tables else "softspoken"
    )


def test_a_choice_of_the_user_stays() -> None:
    for kind in ("softspoken", "ferret"):
        settled = settle_by_link(program_of(64), options(kind), Link.parse("wan"))
        assert settled.values["ot"] == kind


def with_products(link: str | None, *, relu: bool = True) -> dict[str, object]:
    """Returns the choices for a convolution, and its 32,768 ReLUs if it has any."""
    program = compiled_conv(relu=relu)
    where = None if link is None else Link.parse(link)
    given = ProtocolOptions("windowed", values={option.name: AUTO for option in BY_LINK})
    return dict(settle_by_link(program, given, where).values)


def compiled_conv(*, relu: bool = True) -> Program:
    """Returns a program with one convolution."""
    shape = (128, 16, 16)
    nodes = (
        InputNode("x", (), shape),
        ConvNode("c", ("x",), shape, "w", None, (1, 1), (1, 1)),
        *((ReluNode("r", ("c",), shape),) if relu else ()),
        OutputNode("y", ("r" if relu else "c",), shape),
    )
    weights = np.full((128, 128, 3, 3), 0.01, np.float32)
    ranges = dict.fromkeys(("x", "c", "r", "y"), 1.0)
    return compile_graph(Graph(nodes, {"w": weights}, ranges=ranges))[0]


def test_each_choice_follows_what_the_link_is_busy_with() -> None:
    """A slow way down is for small tables, and a slow way up for few bytes of OTs and of products."""
    fast = {"he_plan": "compute", "ot": "softspoken", "garbling": "half-gates"}
    assert with_products(None) == with_products("100Gbit,1us") == fast
    assert with_products("rtt=40ms,up=1Gbit,down=50Mbit")["garbling"] == "three-halves"
    up = with_products("rtt=40ms,up=10Mbit,down=1Gbit")
    assert (up["ot"], up["garbling"]) == ("ferret", "half-gates")
    assert with_products("20Mbit,40ms", relu=False)["he_plan"] == "bytes"


def test_options_without_a_link_are_the_defaults() -> None:
    """A plan may be asked for before a link is known, as a search does."""
    auto = ProtocolOptions("windowed", values={option.name: AUTO for option in BY_LINK})
    sizes = [
        sum(e.request_bytes + e.answer_bytes for e in offline_schedule(WorkPlan(compiled_conv(), given)))
        for given in (auto, ProtocolOptions("windowed"))
    ]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("uses_tables", [False, True])
@pytest.mark.parametrize("relu_count", [300, 100_000, 300_000])
def test_ferret_makes_as_many_ots_as_softspoken(relu_count: int, uses_tables: bool) -> None:
    """Choices have 4 bytes with SoftSpoken and an eighth of a byte with Ferret, besides the set-up."""
    program = program_of(relu_count)
    plans = [WorkPlan(program, options(kind), uses_tables=uses_tables) for kind in ("softspoken", "ferret")]
    sizes = [sum(e.request_bytes + e.answer_bytes for e in offline_schedule(plan)) for plan in plans]
    ots, started = plans[1].ot_count, plans[1].ots
    begun = sum(d.set_up_bytes + d.correction_bytes for d in (started.labels, started.reverse))
    assert sizes[0] - sizes[1] == 4 * ots - ots // 8 - begun
    for direction, needed in (
        (started.labels, plans[1]._label_count),
        (started.reverse, plans[1]._reverse_count),
    ):
        assert direction.ferret(b"", "", even=False).ot_count >= needed > 0
