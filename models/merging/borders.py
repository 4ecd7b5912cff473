"""The effect of merging before a finetuning: none inside maps, a difference along their borders."""

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
    """The difference that merging makes to one value before its activation, given unmerged inputs.

    Differences are root mean squares as fractions of the value's own, or None if there is no such place.

    Attributes:
        name: the name of the value.
        layers: the paths of the layers that are merged into it.
        inside_pct: the percentage of places whose taps all meet pixels.
        inside_difference: the difference at these places.
        border_difference: the difference at the other places.

    >>> ValueDifference("relu", ("conv1", "conv2"), 56.25, 0.0, 0.12).inside_pct
    56.25
    """

    name: str
    layers: tuple[str, ...]
    inside_pct: float
    inside_difference: float | None
    border_difference: float | None


@dataclass(frozen=True, slots=True)
class BorderEffect:
    """The differences that merging makes to a network.

    Attributes:
        values: the difference of each merged value.
        logit_difference: the root mean square of the difference in the logits, as a fraction of theirs.
        changed_answer_pct: the percentage of images whose largest logit is another one.

    >>> BorderEffect((), logit_difference=0.1, changed_answer_pct=5.0).as_dict()["changed_answer_pct"]
    5.0
    """

    values: tuple[ValueDifference, ...]
    logit_difference: float
    changed_answer_pct: float

    def as_dict(self) -> dict[str, Any]:
        """Returns the differences as JSON values."""
        return asdict(self)


@torch.no_grad()
def border_effect(found: ValuePlan, merged: MergedNetwork, images: Tensor) -> BorderEffect:
    """Compares a merged network with the unmerged one.

    Args:
        found: the unmerged network.
        merged: the result of `network.merged_network`, not trained since.
        images: normalized, (count, channels, height, width). Logits are compared on all images, values on
            the first ones, because all values are held in memory at once.

    >>> import dataclasses
    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.building import build
    >>> recipe = narrowed(load_recipe("resnet56-cifar10-532480"), 0.125)
    >>> culled = dataclasses.replace(recipe, blocks=(1, 1, 1), culled_stages=(1, 2), stem_relu=False)
    >>> from pi_bench.models.merging.network import merged_network, planned
    >>> found = planned(build(culled), dataclasses.replace(culled, merged="full"))
    >>> network = merged_network(found, culled.input_shape)
    >>> value, *_ = border_effect(found, network, torch.rand(2, 3, 32, 32)).values
    >>> value.inside_difference < 1e-5 < value.border_difference
    True
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
    return BorderEffect(values, _error_fraction(others - logits, logits), 100 * float(changed))


class _Recorder(fx.Interpreter):
    """A run of the unmerged network that keeps the value of every node."""

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
        return ValueDifference(value.name, value.layers, 0.0, None, _error_fraction(difference, wanted))
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
        _error_fraction(difference[:, :, places], wanted) if places.any() else None,
        _error_fraction(difference[:, :, ~places], wanted) if not places.all() else None,
    )


def _error_fraction(difference: Tensor, wanted: Tensor) -> float:
    """Returns the root mean square of `difference` as a fraction of that of `wanted`."""
    ratio = difference.double().square().mean() / wanted.double().square().mean()
    return float(ratio.sqrt())
