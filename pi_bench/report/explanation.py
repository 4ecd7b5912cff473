"""Explains the cost of a network in words and figures, with the settings that would change it.

The explanation of each phase starts with its three largest causes. Each names the layers that take most of
it and the settings that would change it, as predicted. The last sentence states the fraction of the online
latency that ReLUs take: where it is small, fewer ReLUs do not help.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from pi_bench.launch.alternatives import Alternative, AlternativeKind
from pi_bench.network.program import ActivationOp, LinearOp, Op, Program
from pi_bench.prediction.causes import Cause, CauseCost, RunCosts
from pi_bench.prediction.predicted_phase import PredictedPhase
from pi_bench.prediction.simulated_run import PredictedRun
from pi_bench.protocol.script import Purpose, RunScript
from pi_bench.report.documents import predicted as document
from pi_bench.report.documents.predicted import AlternativeRun, BusyLayer, ExplainedPhase, Explanation
from pi_bench.report.quantities import counted, is_shown, multiply_accumulates, percent, seconds

Phase = Literal["online", "offline"]

_TOP = 3
_LAYERS = 3
_WORTH_NAMING_FRACTION = 0.97
"""An alternative is mentioned only if it shortens the phase to at most this fraction of its time."""

_MINOR = 0.01
"""Causes below this fraction of a phase are not named."""


def explain(
    program: Program,
    script: RunScript,
    run: PredictedRun,
    costs: RunCosts,
    others: Sequence[Alternative],
) -> Explanation:
    """Explains a predicted run by the costs of its causes, and by the other settings that `others` predicts.

    ```python
    def largest_cause(*predicted: Any) -> str:  # program, script, run, costs of causes, alternatives
        return explain(*predicted).online.causes[0].cause
    ```
    """
    alternatives = [
        AlternativeRun(
            change=other.change,
            online_s=other.run.online.time_s,
            offline_s=other.run.offline.time_s,
            comm_round_count=other.run.online.depth / 2,
            truncation_count=other.truncation_count,
            helps=[purpose.value for purpose in other.helps],
            experimental=other.experimental,
        )
        for other in others
    ]
    online = _explained(program, run.online, costs.online, script.online_text)
    offline = _explained(program, run.offline, costs.offline, script.offline_text)
    writer = _Writer(program, online, offline, others)
    return Explanation(
        alternatives=alternatives,
        online=msgspec.structs.replace(online, lines=writer.lines("online")),
        offline=msgspec.structs.replace(offline, lines=writer.lines("offline")),
        relus=writer.relus(),
    )


def explanation_lines(explanation: Explanation, measured: Mapping[Phase, float] | None = None) -> list[str]:
    """Writes an explanation as text.

    Args:
        measured: seconds of each phase where the network has run.

    ```python
    def show(explanation: Explanation) -> None:
        for line in explanation_lines(explanation, {"online": 0.0032, "offline": 0.12}):
            print(line)
    ```
    """
    lines = []
    phases: tuple[tuple[Phase, ExplainedPhase], ...] = (
        ("online", explanation.online),
        ("offline", explanation.offline),
    )
    for name, phase in phases:
        beside = "" if measured is None else f" ({seconds(measured[name])} measured)"
        lines.append(
            f"largest costs {name}, of {seconds(phase.time_s)} predicted{beside}; each is the time that the "
            "phase would save without it"
        )
        lines += [f"  {number}. {line}" for number, line in enumerate(phase.lines, 1)]
    return [*lines, explanation.relus.line]


def _explained(
    program: Program, phase: PredictedPhase, costs: Sequence[CauseCost], words: Mapping[Purpose, str]
) -> ExplainedPhase:
    """Explains a phase, still without sentences."""
    return ExplainedPhase(
        time_s=phase.time_s,
        comm_round_count=phase.depth / 2,
        causes=_causes(program, costs, phase.time_s),
        lines=[],
        words={purpose.value: made for purpose, made in words.items()},
    )


def _causes(program: Program, found: Sequence[CauseCost], whole_s: float) -> list[document.ExplainedCause]:
    return [
        document.ExplainedCause(
            cause=one.cause.value,
            cost_s=one.cost_s,
            fraction=one.cost_s / whole_s if whole_s else 0.0,
            layers=[
                BusyLayer(
                    id=step,
                    name=program.ops[step].name,
                    busy_s=busy_s,
                    cost_s=max(0.0, one.cost_s) * busy_s / sum(other_s for _, other_s in one.steps),
                )
                for step, busy_s in one.steps[:_LAYERS]
                if busy_s > 0
            ],
        )
        for one in found
    ]


class _Writer:
    """Writes the sentences of one explanation."""

    def __init__(
        self,
        program: Program,
        online: ExplainedPhase,
        offline: ExplainedPhase,
        alternatives: Sequence[Alternative],
    ) -> None:
        self._program = program
        self._phases: dict[Phase, ExplainedPhase] = {"online": online, "offline": offline}
        self._alternatives = alternatives

    def lines(self, phase: Phase) -> list[str]:
        """Writes a sentence for each of the largest causes of a phase."""
        causes = [cause for cause in self._phases[phase].causes if cause.fraction >= _MINOR]
        return [self._sentence(phase, cause) for cause in causes[:_TOP]]

    def relus(self) -> document.ReluFraction:
        """Tells whether fewer ReLUs would reduce the online latency."""
        online = self._phases["online"]
        (relus,) = (cause for cause in online.causes if cause.cause == Cause.RELUS.value)
        largest = next(cause for cause in online.causes if cause.cause != Cause.RELUS.value)
        halved_saves_s = max(0.0, online.time_s - _phase_s(self._halved(), "online"))
        without_s = online.time_s - relus.cost_s
        saved = halved_saves_s / online.time_s
        judgment = "so fewer ReLUs help" if saved >= 0.2 else "so fewer ReLUs alone help little"
        rest = self._subject("online", Cause(largest.cause)).rstrip(",")
        halved = f"half of them would save {seconds(halved_saves_s)} ({percent(saved)}), {judgment}"
        if not is_shown(halved_saves_s):
            halved = "half of them would save nothing"
        return document.ReluFraction(
            fraction=relus.fraction,
            halved_saves_s=halved_saves_s,
            without_s=without_s,
            line=f"ReLUs are {percent(relus.fraction)} of the online latency: {halved}; without any, "
            f"{seconds(without_s)} would remain, most of it for {rest}."
            if self._program.relu_count
            else f"The network has no ReLUs: most of the online latency is for {rest}.",
        )

    def _sentence(self, phase: Phase, cause: document.ExplainedCause) -> str:
        kind = Cause(cause.cause)
        cost = f"{seconds(cause.cost_s)} of {seconds(self._phases[phase].time_s)} ({percent(cause.fraction)})"
        remedies = ". ".join(self._remedies(phase, kind))
        return f"{self._subject(phase, kind)} cost {cost}{self._layers(cause.layers)}. {remedies}."

    def _layers(self, layers: Sequence[BusyLayer]) -> str:
        words = [
            f"{_title(self._program.ops[row.id])} {seconds(row.cost_s)}"
            for row in layers
            if row.cost_s is not None and is_shown(row.cost_s)
        ]
        return f", of which {', '.join(words)}" if words else ""

    def _subject(self, phase: Phase, cause: Cause) -> str:
        """Names a cause in the protocol's words for its work in a phase, with the number of elements."""
        if cause is Cause.ROUNDS:
            if phase == "online":
                rounds = counted(self._phases["online"].comm_round_count, "round")
                return f"the {rounds}, and the steps between,"
            return "messages and the steps between them"
        purpose, words = _COUNTED[cause]
        made = self._phases[phase].words.get(purpose.value, "the preprocessing" if phase == "offline" else "")
        return f"{made} of {words(self._program)}" if made else words(self._program)

    def _remedies(self, phase: Phase, cause: Cause) -> list[str]:
        fused = self._alternative(AlternativeKind.FUSION)
        match cause:
            case Cause.ROUNDS:
                if phase == "online" and fused:
                    rounds = counted(fused.run.online.depth / 2, "round")
                    return [f"`{fused.change}` would leave {rounds} and {_left(fused, phase)}"]
                return ["Only fewer layers that cross the wire (culled stages, fused layers) remove them"]
            case Cause.RELUS:
                halved = f"Half of them would leave {_left(self._halved(), phase)}"
                return [halved, *self._without_clamps(phase), *self._settings(phase, Purpose.RELU)]
            case Cause.TRUNCATIONS:
                if fused:
                    left = f"{fused.truncation_count:,} of them and {_left(fused, phase)}"
                    return [f"`{fused.change}` would leave {left}"]
                return ["Layers that are fused or removed need none"]
            case Cause.LINEAR:
                cheaper = "Fewer channels, or a smaller resolution earlier, make them cheaper"
                return [*self._settings(phase, Purpose.LINEAR), cheaper]
            case _:
                return ["Fewer elements with a polynomial activation reduce it"]

    def _settings(self, phase: Phase, purpose: Purpose) -> list[str]:
        """Recommends the best value of each flag that helps a purpose, if it saves something."""
        by_flag: dict[str, list[Alternative]] = {}
        for row in self._alternatives:
            if purpose in row.helps and row.flag:
                by_flag.setdefault(row.flag, []).append(row)
        best = [min(rows, key=lambda row: _phase_s(row, phase)) for rows in by_flag.values()]
        return [
            f"`{row.change}`{' (experimental)' if row.experimental else ''} would leave {_left(row, phase)}"
            for row in best
            if _phase_s(row, phase) <= _WORTH_NAMING_FRACTION * self._phases[phase].time_s
        ]

    def _without_clamps(self, phase: Phase) -> list[str]:
        """Proposes ReLU where the network has ReLU6, which runs as two ReLUs."""
        row = self._alternative(AlternativeKind.RELU_FOR_RELU6)
        if row is None:
            return []
        saved_s = self._phases[phase].time_s - _phase_s(row, phase)
        if not is_shown(saved_s):
            return []
        return [f"{row.change}, in training too, would leave {_left(row, phase)} (saves {seconds(saved_s)})"]

    def _alternative(self, kind: AlternativeKind) -> Alternative | None:
        return next((row for row in self._alternatives if row.kind is kind), None)

    def _halved(self) -> Alternative:
        found = self._alternative(AlternativeKind.HALF_RELUS)
        assert found is not None, "an explanation always has this alternative"
        return found


_COUNTED: dict[Cause, tuple[Purpose, Callable[[Program], str]]] = {
    Cause.RELUS: (Purpose.RELU, lambda program: f"the {counted(program.relu_count, 'ReLU')}"),
    Cause.TRUNCATIONS: (
        Purpose.TRUNCATION,
        lambda program: f"the {program.truncation_count:,} truncations without ReLU",
    ),
    Cause.LINEAR: (
        Purpose.LINEAR,
        lambda program: f"the linear layers' {multiply_accumulates(program.mac_count)}",
    ),
    Cause.MULTIPLICATIONS: (Purpose.MULTIPLICATION, lambda program: "the products of activations"),
}


def _title(op: Op) -> str:
    if isinstance(op, ActivationOp) and op.relu_count:
        return f"{op.name} ({counted(op.relu_count, 'ReLU')})"
    if isinstance(op, LinearOp):
        return f"{op.name} ({multiply_accumulates(op.mac_count)})"
    return op.name


def _phase_s(row: Alternative, phase: Phase) -> float:
    return row.run.online.time_s if phase == "online" else row.run.offline.time_s


def _left(row: Alternative, phase: Phase) -> str:
    return seconds(_phase_s(row, phase))
