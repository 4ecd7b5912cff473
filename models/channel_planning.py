"""The planner by channels: which groups of channels become quadratic, cubic or linear.

A layer's short trainings say what each choice risks for the layer as a whole. The effects of its channels
(`channel_effects`) divide this risk among them. Channels of a layer are then grouped, and a choice is made
for each group. Gains and risks of groups are taken to add up, so that the choices for all groups are a
knapsack problem with one choice per group, which is solved exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .mixture import KINDS
from .planning import LayerChoice

_MOST_STEPS = 1 << 16
"""The steps at most in which a wanted gain is counted. The ReLUs of published networks need fewer."""


@dataclass(frozen=True, slots=True)
class ChannelGroup:
    """Channels of one layer that are replaced together.

    Attributes:
        path: the path of the ReLU layer.
        channels: the numbers of the channels.
        options: gain and risk of each choice for these channels.

    >>> ChannelGroup("stem.relu", (0, 7), (LayerChoice("stem.relu", "linear", 128.0, 0.5),)).option("relu")
    LayerChoice(path='stem.relu', choice='relu', gain=0.0, risk=0.0)
    """

    path: str
    channels: tuple[int, ...]
    options: tuple[LayerChoice, ...]

    def option(self, kind: str) -> LayerChoice:
        """Returns the option of a kind of `KINDS`. ReLU saves and risks nothing.

        Raises:
            KeyError: There is none.
        """
        every = {"relu": LayerChoice(self.path, "relu", gain=0.0, risk=0.0)}
        return (every | {one.choice: one for one in self.options})[kind]


def channel_groups(
    options: Iterable[LayerChoice],
    effects: Mapping[tuple[str, str], Sequence[float]],
    group_count: int,
    least_risk: float,
) -> list[ChannelGroup]:
    """Returns the groups of channels of all layers, with gain and risk of each choice.

    A choice's risk for a layer is divided among the channels in proportion to their effects, and its gain
    evenly. The channels of a layer are ordered by their part of the risk, averaged over the choices, and
    divided into groups of equal size in this order.

    Args:
        options: gain and risk of the choices for whole layers.
        effects: the effect of each channel, at least 0, by layer and choice.
        group_count: the groups of a layer. One with fewer channels has a group for each of them.
        least_risk: the risk of a whole layer at least. A short training cannot show less.

    >>> options = [LayerChoice("a", "linear", gain=64.0, risk=2.0)]
    >>> for group in channel_groups(options, {("a", "linear"): [3.0, 0.0, 4.0, 1.0]}, 2, 0.1):
    ...     print(group.channels, group.option("linear").gain, group.option("linear").risk)
    (1, 3) 32.0 0.25
    (0, 2) 32.0 1.75
    """
    by_layer: dict[str, list[LayerChoice]] = {}
    for one in options:
        by_layer.setdefault(one.path, []).append(one)
    found = []
    for path, choices in by_layer.items():
        parts = {one.choice: _parts(effects[path, one.choice]) for one in choices}
        order = np.argsort(np.mean(list(parts.values()), axis=0), kind="stable")
        for channels in np.array_split(order, min(group_count, len(order))):
            numbers = tuple(sorted(channels.tolist()))
            of_group = (
                LayerChoice(
                    path,
                    one.choice,
                    gain=one.gain * len(numbers) / len(order),
                    risk=max(one.risk, least_risk) * float(parts[one.choice][list(numbers)].sum()),
                )
                for one in choices
            )
            found.append(ChannelGroup(path, numbers, tuple(of_group)))
    return found


def least_risk_kinds(groups: Sequence[ChannelGroup], wanted: float) -> list[str] | None:
    """Returns the kinds of groups that save a wanted cost at the least risk, or None if none save it.

    This is exact if all gains are whole numbers, as ReLUs are, and the wanted cost has at most 65,536 steps
    of their greatest common divisor. Else gains are rounded to steps, so that the gain may be slightly less
    than the wanted one. A group that need not be replaced keeps its ReLUs.

    The time is proportional to groups * choices * steps, and the memory is a byte per group and step.

    Args:
        wanted: the cost to save, in the unit of the gains.

    >>> def group(path, *options):
    ...     return ChannelGroup(path, (0,), tuple(LayerChoice(path, *one) for one in options))
    >>> groups = [
    ...     group("a", ("quadratic", 16.0, 1.0), ("linear", 16.0, 3.0)), group("b", ("linear", 64.0, 1.5))
    ... ]
    >>> [least_risk_kinds(groups, wanted) for wanted in (0.0, 16.0, 17.0, 80.0, 81.0)]
    [['relu', 'relu'], ['quadratic', 'relu'], ['relu', 'linear'], ['quadratic', 'linear'], None]
    """
    if wanted <= 0:
        return ["relu"] * len(groups)
    step = _step([one.gain for group in groups for one in group.options], wanted)
    needed = math.ceil(wanted / step)
    # least[n]: the least risk at which the groups so far save n steps or more.
    least = np.full(needed + 1, np.inf)
    least[0] = 0.0
    places = np.arange(needed + 1)
    taken = np.zeros((len(groups), needed + 1), np.uint8)
    for row, group in zip(taken, groups, strict=True):
        before = least
        for number, one in enumerate(group.options, start=1):
            risks = before[np.maximum(places - round(one.gain / step), 0)] + one.risk
            better = risks < least
            least, row[better] = np.where(better, risks, least), number
    if not np.isfinite(least[needed]):
        return None
    kinds: list[str] = []
    for row, group in zip(taken[::-1], reversed(groups), strict=True):
        number = int(row[needed])
        kinds.append("relu" if not number else group.options[number - 1].choice)
        if number:
            needed = max(0, needed - round(group.options[number - 1].gain / step))
    return kinds[::-1]


def kinds_of_channels(groups: Sequence[ChannelGroup], kinds: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns the place in `KINDS` of the kind of each channel, int64 (channels,) by path.

    Args:
        kinds: the kind of each group.

    >>> groups = [ChannelGroup("a", (0, 2), ()), ChannelGroup("a", (1,), ())]
    >>> kinds_of_channels(groups, ["linear", "relu"])
    {'a': array([3, 0, 3])}
    """
    found: dict[str, dict[int, int]] = {}
    for group, kind in zip(groups, kinds, strict=True):
        found.setdefault(group.path, {}).update(dict.fromkeys(group.channels, KINDS.index(kind)))
    return {path: np.array([of_layer[n] for n in range(len(of_layer))]) for path, of_layer in found.items()}


def _parts(effects: Sequence[float]) -> np.ndarray:
    """Returns the part of each channel of a layer's risk. Channels without any effect have equal parts."""
    values = np.asarray(effects, np.float64)
    return values / values.sum() if values.sum() > 0 else np.full(len(values), 1 / len(values))


def _step(gains: Sequence[float], wanted: float) -> float:
    """Returns the step in which gains are counted towards a wanted one."""
    if all(gain.is_integer() for gain in gains):
        step = math.gcd(*map(int, gains)) or 1
        return float(step * math.ceil(wanted / step / _MOST_STEPS))
    return wanted / _MOST_STEPS
