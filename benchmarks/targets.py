"""The figures that this project set itself: two cores, loopback, medians, windowed mode, one label per bit.

`TARGETS` maps a key, which a benchmark cites in ``extra_info["targets"]``, to the largest allowed value.
Nothing here fails: `report.py` prints the targets next to the measured values.
"""

from __future__ import annotations

from dataclasses import dataclass

AESNI_FACTOR = 2.5
NETWORKS = (12_288, 57_344, 229_376, 557_056)
"""ReLUs of the CIFAR networks; their recipes are named after them."""


@dataclass(frozen=True, slots=True)
class Target:
    """`limit` is in `unit`; a measured value in SI units times `per_unit` is in `unit` too."""

    title: str
    limit: float
    unit: str

    @property
    def per_unit(self) -> float:
        factors = {"ns": 1e9, "ms": 1e3, "s": 1.0, "B": 1.0, "MB": 1e-6, "GB": 1e-9, "times": 1.0, "%": 100.0}
        return factors[self.unit]


def _targets() -> dict[str, Target]:
    found: dict[str, Target] = {}
    gadget_ns = {
        ("evaluate", 1): {19: 100, 11: 60},
        ("evaluate", 2): {19: 55, 11: 35},
        ("garble", 1): {19: 120, 11: 75},
    }
    for isa, factor in (("vaes512", 1.0), ("aesni", AESNI_FACTOR)):
        for (step, threads), limits in gadget_ns.items():
            for and_count, limit in limits.items():
                title = f"{step} a ReLU, {isa}, {and_count} ANDs, {threads} thread{'s' * (threads > 1)}"
                found[f"{step}-{and_count}-{threads}-{isa}"] = Target(title, limit * factor, "ns")
        for role in ("receiver", "sender"):
            found[f"cot-{role}-{isa}"] = Target(f"correlated OT, {role}, {isa}", 8 * factor, "ns")
            found[f"silent-{role}-{isa}"] = Target(f"silent OT, {role}, {isa}", 15 * factor, "ns")
    found["silent-bytes"] = Target("silent OT, on the wire, 4,194,304 OTs", 0.1, "B")
    found["cot-bytes"] = Target("correlated OT, on the wire", 4, "B")
    for count, online_ms, offline_s in zip(NETWORKS, (6, 18, 60, 150), (1, 1.5, 2.5, 5), strict=True):
        found[f"online-{count}"] = Target(f"online, {count:,} ReLUs", online_ms, "ms")
        found[f"offline-{count}"] = Target(f"offline, {count:,} ReLUs", offline_s, "s")
    for count, wire_gb in zip(NETWORKS[2:], (0.35, 0.8), strict=True):
        found[f"offline-bytes-{count}"] = Target(f"offline wire bytes, {count:,} ReLUs", wire_gb, "GB")
    found["linear-torch"] = Target("linear layers online, full ResNet18, over torch float32", 2, "times")
    found["storage-11"] = Target("client storage per ReLU, 11 labels", 800, "B")
    for chunk, limit in zip((1, 2, 3), (190, 115, 85), strict=True):
        title = f"online server to client per ReLU, 11 labels, --label-chunk {chunk}"
        found[f"online-bytes-chunk-{chunk}"] = Target(title, limit, "B")
    found["sweep-overhead"] = Target("a sweep of four cells, over the same calls of latency", 1.05, "times")
    found["report-write"] = Target("page of 50 runs, written", 5, "s")
    found["report-bytes"] = Target("page of 50 runs, size", 3, "MB")
    found["report-first-plot"] = Target("page of 50 runs, first plot in Chromium", 1, "s")
    for protocol in ("delphi", "fss", "null"):
        title = f"trace of {protocol}, 12,288 ReLUs, unaccounted part of a phase"
        found[f"trace-{protocol}"] = Target(title, 3, "%")
    found["null-12288"] = Target("all but cryptography (null), 12,288 ReLUs", 2, "ms")
    return found


TARGETS = _targets()
