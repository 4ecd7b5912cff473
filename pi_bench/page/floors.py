"""The floors of both phases: the least times of the client's work, the server's work and the messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pi_bench.page.link_plots import plots_by_link
from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.runs import LabeledRun
from pi_bench.page.specs import Encoding, bars_of_runs, layer, logarithmic, rounded, series, shapes, tooltip
from pi_bench.page.theme import CLIENT, MEASURED, MESSAGES, SERVER
from pi_bench.report.documents.fields import Emulated
from pi_bench.report.documents.floor import PhaseFloor
from pi_bench.report.quantities import seconds

_KINDS = ("client", "server", "messages", "measured")
_WORDS = {"client": "the client's work", "server": "the server's work", "link": "the messages"}
_COLORS = (CLIENT, SERVER, MESSAGES, MEASURED)


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns one plot per phase with the parts of the floor beside the measured time.

    >>> section([]).plots
    ()
    """
    known = [run for run in runs if run.result.floor is not None]
    missing = [run.label for run in runs if run.result.floor is None]
    words = "`pi-bench latency` measures the limits of the machine unless --no-limits is given."
    if not known:
        return Section(
            "floors", "Where the floor is", missing=(f"No result has a floor, so none is drawn. {words}",)
        )
    return Section(
        "floors",
        "Where the floor is",
        words=(
            "Three points of a run are the times of the client's work alone, of the server's work alone and "
            "of the messages alone, each at the best rates of the machine and the link. No run can be faster "
            "than the longest of the three, which is its floor. The upright tick is the measured time.",
            *_link_words(known),
            "The axes are logarithmic: equal distances are equal ratios.",
        ),
        plots=plots_by_link(known, _plot),
        missing=(f"Without a floor: {'; '.join(missing)}. {words}",) if missing else (),
    )


def _link_words(runs: Sequence[LabeledRun]) -> tuple[str, ...]:
    if not any(isinstance(run.result.link, Emulated) for run in runs):
        return ()
    return (
        "The floor of an emulated link has the bandwidth and the round trip that were asked for, not the "
        "probed ones. If the link was slower than that, the measured time is farther from the floor.",
    )


def _phase(run: LabeledRun, phase: str) -> tuple[PhaseFloor, float]:
    """Returns the floor of a phase and its measured median."""
    floor = run.result.floor
    assert floor is not None, "runs without a floor are left out"
    if phase == "online":
        return floor.online, run.result.online.latency_s.median
    return floor.offline, run.result.offline.time_s


def _plot(runs: Sequence[LabeledRun], phase: str) -> Plot:
    phases = [_phase(run, phase) for run in runs]
    rows: list[Encoding] = [
        {"run": run.label, "kind": kind, "time_s": rounded(value_s), "time": seconds(value_s)}
        for run, (floor, measured_s) in zip(runs, phases, strict=True)
        for kind, value_s in zip(
            _KINDS, (floor.client_s, floor.server_s, floor.link_s, measured_s), strict=True
        )
        if value_s > 0  # a logarithmic axis has no 0
    ]
    binding = Counter[str](floor.bound_by for floor, _ in phases)
    times = [floor.times_floor for floor, _ in phases if floor.times_floor is not None]
    return Plot(
        name=f"floor-{phase}",
        title=f"Floor {phase}",
        words=f"The floor {phase} comes from {_binding_words(binding, len(runs))}.{_times_words(times)}",
        spec=_spec([run.label for run in runs], rows, phase),
        table=PageTable(
            f"Floor {phase}, by part",
            ("run", *_KINDS[:3], "floor", "longest part", "measured", "measured / floor"),
            tuple(_texts(run, phase) for run in runs),
        ),
    )


def _times_words(times: Sequence[float]) -> str:
    """Says how far the runs are from their floors."""
    if not times:
        return ""
    low, high = f"{min(times):,.2f}", f"{max(times):,.2f}"
    if low == high:
        return f" The measured time is {low} times the floor."
    return f" The measured times are {low} to {high} times the floors."


def _binding_words(binding: Counter[str], count: int) -> str:
    if len(binding) == 1:
        return _WORDS[next(iter(binding))]
    return ", ".join(f"{_WORDS[kind]} in {number} of {count} runs" for kind, number in binding.items())


def _spec(labels: Sequence[str], rows: list[Encoding], phase: str) -> Encoding:
    return bars_of_runs(
        labels,
        [
            layer(
                "point",
                rows,
                x=logarithmic("time_s", f"time {phase}", "s", [row["time_s"] for row in rows]),
                color=series("kind", _KINDS, _COLORS),
                shape=shapes("kind", _KINDS, upright="measured"),
                tooltip=tooltip("run", "kind", "time"),
            )
        ],
        lines=True,
    )


def _texts(run: LabeledRun, phase: str) -> tuple[str, ...]:
    floor, measured_s = _phase(run, phase)
    times = (floor.client_s, floor.server_s, floor.link_s, floor.time_s)
    return (
        run.label,
        *(seconds(value_s) for value_s in times),
        "messages" if floor.bound_by == "link" else floor.bound_by,
        seconds(measured_s),
        "-" if floor.times_floor is None else f"{floor.times_floor:,.2f}",
    )
