"""The floors of both phases: the least times of the client's work, the server's work and the messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pi_bench.page.link_plots import plots_by_link
from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.runs import LabeledRun
from pi_bench.page.specs import Encoding, bars_of_runs, layer, logarithmic, offset, rounded, series, tooltip
from pi_bench.page.theme import CLIENT, MEASURED, MESSAGES, SERVER
from pi_bench.report.documents.fields import Emulated
from pi_bench.report.documents.floor import PhaseFloor
from pi_bench.report.quantities import seconds, times_text

_KINDS = ("client", "server", "link", "measured")
_BEFORE_THE_SHORTEST = 1.5  # so that the shortest bar has a length
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
            "Each bar is a time below which no run can be: the client's work alone, the server's work alone, "
            "the messages alone. The longest of the three is the floor of the phase.",
            *_link_words(known),
            "The axes are logarithmic, so compare where bars end, not how long they are.",
        ),
        plots=plots_by_link(known, _plot),
        missing=(f"Without a floor: {'; '.join(missing)}. {words}",) if missing else (),
    )


def _link_words(runs: Sequence[LabeledRun]) -> tuple[str, ...]:
    if not any(isinstance(run.result.link, Emulated) for run in runs):
        return ()
    return (
        "The messages of an emulated link have the bandwidth and the round trip that were asked for, not the "
        "probed ones. A probed link that is slower moves a run away from its floor.",
    )


def _phase(run: LabeledRun, phase: str) -> tuple[PhaseFloor, float]:
    """Returns the floor of a phase and its measured median."""
    floor = run.result.floor
    assert floor is not None, "runs without a floor are left out"
    if phase == "online":
        return floor.online, run.result.online.latency_s.median
    return floor.offline, run.result.offline.time_s


def _plot(runs: Sequence[LabeledRun], phase: str) -> Plot:
    rows: list[Encoding] = []
    for run in runs:
        floor, measured_s = _phase(run, phase)
        for kind, value_s in zip(
            _KINDS, (floor.client_s, floor.server_s, floor.link_s, measured_s), strict=True
        ):
            if value_s > 0:  # a logarithmic axis has no 0
                rows.append(
                    {"run": run.label, "kind": kind, "time_s": rounded(value_s), "time": seconds(value_s)}
                )
    binding = Counter[str](_phase(run, phase)[0].bound_by for run in runs)
    return Plot(
        name=f"floor-{phase}",
        title=f"Floor {phase}",
        words=f"The floor {phase} comes from {_binding_words(binding, len(runs))}.",
        spec=_spec([run.label for run in runs], rows, phase),
        table=PageTable(
            f"Floor {phase}, by part",
            ("run", "client", "server", "link", "floor", "bound by", "measured", "times floor"),
            tuple(_texts(run, phase) for run in runs),
        ),
    )


def _binding_words(binding: Counter[str], count: int) -> str:
    if len(binding) == 1:
        return _WORDS[next(iter(binding))]
    return ", ".join(f"{_WORDS[kind]} in {number} of {count} runs" for kind, number in binding.items())


def _spec(labels: Sequence[str], rows: list[Encoding], phase: str) -> Encoding:
    times_s = [row["time_s"] for row in rows]
    x = logarithmic(
        "time_s",
        f"time {phase}",
        "s",
        [*times_s, *([min(times_s) / _BEFORE_THE_SHORTEST] if times_s else [])],
    )
    begin = x["scale"]["domain"][0]
    return bars_of_runs(
        labels,
        [
            layer(
                "bar",
                [{**row, "begin_s": begin} for row in rows],
                x=x,
                x2={"field": "begin_s"},
                yOffset=offset("kind", _KINDS),
                color=series("kind", _KINDS, _COLORS),
                tooltip=tooltip("run", "kind", "time"),
            )
        ],
        bars_per_name=len(_KINDS),
    )


def _texts(run: LabeledRun, phase: str) -> tuple[str, ...]:
    floor, measured_s = _phase(run, phase)
    times = (floor.client_s, floor.server_s, floor.link_s, floor.time_s)
    return (
        run.label,
        *(seconds(value_s) for value_s in times),
        floor.bound_by,
        seconds(measured_s),
        times_text(floor.times_floor),
    )
