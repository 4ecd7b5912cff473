"""Why a network costs what it costs, and what would change it: in words, with figures.

Each phase's three dearest causes come first, each with the layers that take most of it and with the settings
that would change it, as predicted. Then what the ReLUs are of the online latency: where they are little of
it, fewer of them do not help.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pi_bench.launch.alternatives import HALF_RELUS, MERGE, Alternative
from pi_bench.network.program import ActivationOp, LinearOp, Op, Program
from pi_bench.prediction.causes import Cause, Share, shares
from pi_bench.prediction.simulated_run import PredictedRun, Setting
from pi_bench.protocol.script import Purpose, RunScript
from pi_bench.report.quantities import seconds

_TOP = 3
_LAYERS = 3
_PAYS = 0.97
"""An alternative is worth its words if it leaves at most this much of a phase."""

_MINOR = 0.01
"""Causes below this share of a phase are not named."""


def explanation_fields(
    program: Program,
    script: RunScript,
    run: PredictedRun,
    setting: Setting,
    others: Sequence[Alternative],
) -> dict[str, Any]:
    """As JSON values; `lines` of each phase are its sentences."""
    fields: dict[str, Any] = {
        "alternatives": [
            {
                "change": other.change,
                "online_s": other.run.online.time_s,
                "offline_s": other.run.offline.time_s,
                "comm_round_count": other.run.online.depth / 2,
                "truncation_count": other.truncation_count,
                "helps": [purpose.value for purpose in other.helps],
            }
            for other in others
        ]
    }
    for phase in ("online", "offline"):
        found = shares(getattr(script, phase), setting)
        whole_s = getattr(run, phase).time_s
        fields[phase] = {
            "time_s": whole_s,
            "comm_round_count": getattr(run, phase).depth / 2,
            "causes": [_cause_fields(program, share, whole_s) for share in found],
        }
    for phase, words in (("online", script.online_words), ("offline", script.offline_words)):
        fields[phase]["words"] = {purpose.value: made for purpose, made in words.items()}
    fields["relus"] = _relu_fields(fields)
    for phase in ("online", "offline"):
        causes = [cause for cause in fields[phase]["causes"] if cause["share"] >= _MINOR][:_TOP]
        fields[phase]["lines"] = [_sentence(program, fields, phase, cause) for cause in causes]
    fields["relus"]["line"] = _relu_sentence(program, fields)
    return fields


def explanation_lines(fields: Mapping[str, Any], measured: Mapping[str, float] | None = None) -> list[str]:
    """`measured`: seconds of each phase where the network has run."""
    lines = []
    for phase in ("online", "offline"):
        own = fields[phase]
        beside = "" if measured is None else f" (measured: {seconds(measured[phase])})"
        lines.append(f"what costs most {phase}: of {seconds(own['time_s'])} as predicted{beside}")
        lines += [f"  {number}. {line}" for number, line in enumerate(own["lines"], 1)]
    return [*lines, fields["relus"]["line"]]


def _cause_fields(program: Program, share: Share, whole_s: float) -> dict[str, Any]:
    return {
        "cause": share.cause.value,
        "cost_s": share.cost_s,
        "share": share.cost_s / whole_s if whole_s else 0.0,
        "layers": [
            {"id": step, "name": program.ops[step].name, "busy_s": busy_s}
            for step, busy_s in share.steps[:_LAYERS]
            if busy_s > 0
        ],
    }


def _relu_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    online = fields["online"]
    (relus,) = (cause for cause in online["causes"] if cause["cause"] == Cause.RELUS.value)
    halved_s = _halved(fields)["online_s"]
    return {
        "share": relus["share"],
        "halved_saves_s": max(0.0, online["time_s"] - halved_s),
        "without_s": online["time_s"] - relus["cost_s"],
    }


def _sentence(program: Program, fields: Mapping[str, Any], phase: str, cause: Mapping[str, Any]) -> str:
    cost = f"{seconds(cause['cost_s'])} of {seconds(fields[phase]['time_s'])} ({cause['share']:.0%})"
    words = _subject(program, fields, phase, Cause(cause["cause"]))
    remedies = _REMEDIES[Cause(cause["cause"])](fields, phase)
    layers = _layer_words(program, cause["layers"])
    return f"{words} cost {cost}{layers}. {'. '.join(remedies)}."


def _layer_words(program: Program, layers: Sequence[Mapping[str, Any]]) -> str:
    if not layers:
        return ""
    words = [f"{_title(program.ops[row['id']])} {seconds(row['busy_s'])}" for row in layers]
    return f"; busiest (parties and link together, overlap not taken off): {', '.join(words)}"


def _title(op: Op) -> str:
    if isinstance(op, ActivationOp) and op.relu_count:
        return f"{op.name} ({op.relu_count:,} ReLUs)"
    if isinstance(op, LinearOp):
        return f"{op.name} ({op.mac_count / 1e6:,.1f} M multiply-accumulates)"
    return op.name


def _round_words(fields: Mapping[str, Any], phase: str) -> str:
    if phase == "online":
        return f"the {fields['online']['comm_round_count']:g} rounds, and the steps between,"
    return "messages and the steps between them"


_COUNTED: dict[Cause, tuple[Purpose, Callable[[Program], str]]] = {
    Cause.RELUS: (Purpose.RELU, lambda program: f"the {program.relu_count:,} ReLUs"),
    Cause.TRUNCATIONS: (Purpose.TRUNCATION, lambda program: _truncations(program)),
    Cause.LINEAR: (
        Purpose.LINEAR,
        lambda program: f"the linear layers' {program.mac_count / 1e6:,.1f} M multiply-accumulates",
    ),
    Cause.MULTIPLICATIONS: (Purpose.MULTIPLICATION, lambda program: "the products of activations"),
}


def _subject(program: Program, fields: Mapping[str, Any], phase: str, cause: Cause) -> str:
    """Names a cause: what the protocol says that it does in a phase, and of how many elements."""
    if cause is Cause.ROUNDS:
        return _round_words(fields, phase)
    purpose, counted = _COUNTED[cause]
    made = fields[phase]["words"].get(purpose.value, "the preprocessing" if phase == "offline" else "")
    return f"{made} of {counted(program)}" if made else counted(program)


def _truncations(program: Program) -> str:
    return f"the {program.truncation_count:,} truncations without ReLU"


def _round_remedies(fields: Mapping[str, Any], phase: str) -> list[str]:
    merged = _alternative(fields, MERGE)
    if phase == "online" and merged:
        return [f"`--merge` would leave {merged['comm_round_count']:g} rounds and {_left(merged, phase)}"]
    return ["Only fewer layers that cross the wire (culled stages, merged layers) take them away"]


def _relu_remedies(fields: Mapping[str, Any], phase: str) -> list[str]:
    halved = _halved(fields)
    found = [f"Half of them would leave {_left(halved, phase)}"]
    return found + _settings(fields, phase, Purpose.RELU)


def _truncation_remedies(fields: Mapping[str, Any], phase: str) -> list[str]:
    merged = _alternative(fields, MERGE)
    if merged:
        return [f"`--merge` would leave {merged['truncation_count']:,} of them and {_left(merged, phase)}"]
    return ["Layers that are merged or gone need none"]


def _linear_remedies(fields: Mapping[str, Any], phase: str) -> list[str]:
    found = _settings(fields, phase, Purpose.LINEAR)
    return [*found, "Fewer channels, or a smaller resolution earlier, there is what makes them cheaper"]


def _multiplication_remedies(fields: Mapping[str, Any], phase: str) -> list[str]:
    return ["Fewer elements with a polynomial activation make it less"]


_REMEDIES = {
    Cause.ROUNDS: _round_remedies,
    Cause.RELUS: _relu_remedies,
    Cause.TRUNCATIONS: _truncation_remedies,
    Cause.LINEAR: _linear_remedies,
    Cause.MULTIPLICATIONS: _multiplication_remedies,
}


def _settings(fields: Mapping[str, Any], phase: str, purpose: Purpose) -> list[str]:
    """Recommends the best value of each flag that helps a purpose, if it saves something."""
    rows = [row for row in fields["alternatives"] if purpose.value in row["helps"]]
    flags = dict.fromkeys(row["change"].split()[0] for row in rows)
    return [
        words
        for flag in flags
        for words in _worthwhile(fields, phase, [row for row in rows if row["change"].split()[0] == flag])
    ]


def _worthwhile(fields: Mapping[str, Any], phase: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The best of these, if it saves something."""
    best = min(rows, key=lambda row: float(row[f"{phase}_s"]), default=None)
    if best is None or best[f"{phase}_s"] > _PAYS * fields[phase]["time_s"]:
        return []
    return [f"`{best['change']}` would leave {_left(best, phase)}"]


def _left(row: Mapping[str, Any], phase: str) -> str:
    return seconds(row[f"{phase}_s"])


def _alternative(fields: Mapping[str, Any], change: str) -> dict[str, Any] | None:
    return next((row for row in fields["alternatives"] if row["change"] == change), None)


def _halved(fields: Mapping[str, Any]) -> dict[str, Any]:
    found = _alternative(fields, HALF_RELUS)
    assert found is not None, "an explanation always has this alternative"
    return found


def _relu_sentence(program: Program, fields: Mapping[str, Any]) -> str:
    relus, online = fields["relus"], fields["online"]
    others = [cause for cause in online["causes"] if cause["cause"] != Cause.RELUS.value]
    rest = _subject(program, fields, "online", Cause(others[0]["cause"]))
    saved = relus["halved_saves_s"] / online["time_s"]
    judgement = "so fewer ReLUs help" if saved >= 0.2 else "so fewer ReLUs alone help little"
    return (
        f"ReLUs are {relus['share']:.0%} of the online latency: half of them would save "
        f"{seconds(relus['halved_saves_s'])} ({saved:.0%}), {judgement}; without any, "
        f"{seconds(relus['without_s'])} would remain, most of it for {rest.rstrip(',')}."
    )
