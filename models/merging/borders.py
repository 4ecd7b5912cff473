"""What merging changes before a finetuning: nothing inside maps, something along their borders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, fx

from .network import MergedNetwork, MergedValue
from .tracing import Value, ValuePlan

_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """Of one merged value, before its activation, where all that it reads is the unmerged network's.

    Differences are root mean squares as shares of the value's own; None where there is no such place.
    `layers`: what is merged in it. `inside_pct`: places whose taps all meet pixels.
    """

    name: str
    layers: tuple[str, ...]
    inside_pct: float
    inside_difference: float | None
    border_difference: float | None


@dataclass(frozen=True, slots=True)
class BorderEffect:
    """`logit_difference`: root mean square of what merging changes in the logits, as a share of theirs.
    `changed_answer_pct`: images whose largest logit is another one."""

    values: tuple[ValueDifference, ...]
    logit_difference: float
    changed_answer_pct: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@torch.no_grad()
def border_effect(found: ValuePlan, merged: MergedNetwork, images: Tensor) -> BorderEffect:
    """
    Args:
        found: the unmerged network.
        merged: what `network.merged_network` made of it, untrained since.
        images: normalized, (count, channels, height, width). Logits are compared on all of them, values on
            the first few, since all values are remembered at once.
    """
    recorder = _Recorder(found.graph)
    recorder.run(images[:_REMEMBERED])
    seen = recorder.seen
    values = tuple(
        _difference(value, merged, seen, _sides(value, seen)) for value in found.values if value.is_merged
    )
    parts = torch.split(images, _REMEMBERED)
    logits, others = (torch.cat([network(part) for part in parts]) for network in (found.graph, merged))
    changed = (logits.argmax(dim=1) != others.argmax(dim=1)).double().mean()
    return BorderEffect(values, _share(others - logits, logits), 100 * float(changed))


class _Recorder(fx.Interpreter):
    """Runs the unmerged network and remembers the value of every node."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph, garbage_collect_values=False)
        self.seen: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        self.seen[n.name] = super().run_node(n)
        return self.seen[n.name]


def _sides(value: Value, seen: Mapping[str, Tensor]) -> dict[str, int]:
    return {name: seen[name].shape[-1] if seen[name].ndim == 4 else 1 for name in value.form}


def _difference(
    value: Value, merged: MergedNetwork, seen: Mapping[str, Tensor], sides: Mapping[str, int]
) -> ValueDifference:
    own = merged.values[value.name]
    assert isinstance(own, MergedValue)
    wanted = seen[value.linear]
    difference = own.linear(dict(seen)) - wanted
    if wanted.ndim == 2:  # logits: each reads whole maps, borders included
        return ValueDifference(value.name, value.layers, 0.0, None, _share(difference, wanted))
    side = wanted.shape[-1]
    inside = torch.ones(side, dtype=torch.bool)
    for name, kernel in value.form.items():
        rows = torch.zeros(side, dtype=torch.bool)
        rows[kernel.inside(sides[name], side)] = True
        inside &= rows
    places = (inside[:, None] & inside[None, :]).to(wanted.device)
    return ValueDifference(
        value.name,
        value.layers,
        100 * float(places.double().mean()),
        _share(difference[:, :, places], wanted) if places.any() else None,
        _share(difference[:, :, ~places], wanted) if not places.all() else None,
    )


def _share(difference: Tensor, wanted: Tensor) -> float:
    """Root mean squares, one as a share of the other."""
    ratio = difference.double().square().mean() / wanted.double().square().mean()
    return float(ratio.sqrt())
