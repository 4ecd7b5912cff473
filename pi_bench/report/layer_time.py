"""Divides the online latency by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pi_bench.report.documents.fields import BothTimes

Timed = TypeVar("Timed", bound=BothTimes)


@dataclass(frozen=True)
class LayerTime(Generic[Timed]):
    """Gives a layer its time on the client's clock.

    Attributes:
        layer: the layer as it was measured or predicted.
        time_s: its time.
        wait_s: the part of this time for which the client waits. The rest is its computing and sending.
        fraction: this time divided by the sum over all layers.
        floor_s: the least time that this machine needs for the layer; None where that is not known.

    ```python
    def busy(row: LayerTime[BothTimes]) -> bool:
        return row.fraction > 0.1
    ```
    """

    layer: Timed
    time_s: float
    wait_s: float
    fraction: float
    floor_s: float | None


def layer_times(
    layers: Sequence[Timed], floors_s: Sequence[float | None] | None = None
) -> list[LayerTime[Timed]]:
    """Divides the client's time by layer, in the order of the network.

    A layer's time is the client's computing, sending and waiting for it. The client records all waiting under
    the layer whose data it waits for, although the server may have computed earlier layers meanwhile, such as
    a convolution, of which the client sees nothing. The waiting beyond the server's own work for the layer
    counts for these earlier layers, for as long as the server worked on them longer than the client did. The
    sum stays the same.

    Args:
        floors_s: one per layer, where known.

    ```python
    from pi_bench.report.documents.latency import Result

    def slowest(result: Result) -> str:
        return max(layer_times(result.online.layers), key=lambda row: row.time_s).layer.name
    ```
    """
    times_s = [layer.client.compute_s + layer.client.send_s + layer.client.wait_s for layer in layers]
    unseen: dict[int, float] = {}
    for number, layer in enumerate(layers):
        work_s, wait_s = layer.server.compute_s + layer.server.send_s, layer.client.wait_s
        if not wait_s:
            unseen[number] = max(0.0, work_s - times_s[number])
            continue
        moved_s = min(sum(unseen.values()), max(0.0, wait_s - work_s))
        if moved_s > 0:
            fraction = moved_s / sum(unseen.values())
            for earlier, seconds in unseen.items():
                times_s[earlier] += fraction * seconds
            times_s[number] -= moved_s
        unseen = {}
    total_s = sum(times_s) or 1.0
    return [
        LayerTime(
            layer=layer,
            time_s=time_s,
            wait_s=max(0.0, time_s - layer.client.compute_s - layer.client.send_s),
            fraction=time_s / total_s,
            floor_s=floor_s,
        )
        for layer, time_s, floor_s in zip(layers, times_s, floors_s or [None] * len(times_s), strict=True)
    ]
