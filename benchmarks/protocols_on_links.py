"""Delphi and fss: the networks of DeepReDuce's Table 4 and larger ones, on loopback, LAN and WAN.

`python -m benchmarks.protocols_on_links FOLDER` measures Table 4 with `pi-bench table` into
FOLDER/deepreduce-4, then further rows with `pi-bench latency`, and keeps each in FOLDER as soon as it is
whole, so a run that was interrupted continues. Then it prints the table with the targets of protocol fss.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pi_bench
from benchmarks.kept_latency import kept_latency
from benchmarks.markdown import table

LARGE = {
    "vgg16-cifar100-276480": {"loopback": 5, "lan": 3, "wan": 1},
    "mobilenetv1-cifar100-411648": {"loopback": 5, "lan": 3, "wan": 1},
    "resnet50-imagenet-9608704": {"loopback": 1, "lan": 1},
}
"""Timed runs per link. ResNet50 under delphi would take about ten minutes per inference on the WAN."""

PROTOCOLS = ("delphi", "fss")


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: a recipe, a protocol, a link, and whether linear layers are fused for the link."""

    recipe: str
    protocol: str
    link: str
    runs: int
    fused: bool = False

    @property
    def name(self) -> str:
        return f"{self.recipe}.{self.protocol}.{self.link}{'.fused' if self.fused else ''}"


def rows() -> Iterator[Row]:
    """Yields the rows beside Table 4. Those to compare follow each other, to meet the same machine."""
    for protocol in PROTOCOLS:
        yield Row("resnet18-cifar100-229376", protocol, "10g", 5)
    for link in ("lan", "wan"):
        for protocol in PROTOCOLS:
            yield Row("resnet18-cifar100-12288", protocol, link, 7, fused=True)
    for protocol in PROTOCOLS:
        yield Row("resnet18-cifar100-114688", protocol, "lan", 7, fused=True)
    for recipe, links in LARGE.items():
        for link, runs in links.items():
            for protocol in PROTOCOLS:
                yield Row(recipe, protocol, link, runs)


TARGETS_S = {
    "resnet18-cifar100-229376.fss.lan": 0.060,
    "resnet18-cifar100-229376.fss.10g": 0.040,
    "resnet18-cifar100-229376.fss.wan": 1.1,
    "resnet18-cifar100-557056.fss.lan": 0.100,
    "resnet18-cifar100-12288.fss.lan.fused": 0.012,
    "resnet18-cifar100-12288.fss.wan.fused": 0.350,
    "resnet50-imagenet-9608704.fss.loopback": 0.7,
}
LAN_TARGETS_S = {114_688: 0.033, 229_376: 0.060}
"""For networks with at most so many ReLUs that have no target of their own."""


def target_s(row: Row, relu_count: int) -> float | None:
    """Returns the target of a row; None where it has none."""
    if row.name in TARGETS_S:
        return TARGETS_S[row.name]
    if row.protocol != "fss" or row.link != "lan" or "resnet18" not in row.recipe:
        return None
    return next((seconds for most, seconds in LAN_TARGETS_S.items() if relu_count <= most), None)


def table_4(folder: Path) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Yields the rows of `pi-bench table deepreduce-4`, which measures those that the folder lacks."""
    kept = folder / "deepreduce-4"
    settings = ["--link", "loopback,lan,wan", "--protocol", ",".join(PROTOCOLS), "--no-history"]
    command = ["table", "deepreduce-4", *settings, "-o", str(kept)]
    subprocess.run([sys.executable, "-m", "pi_bench", *command], check=True, stdout=subprocess.DEVNULL)
    for path in sorted(kept.glob("*.json")):
        record = json.loads(path.read_text())
        link = record["link"]
        row = Row(
            record["network"]["name"], record["protocol"], link.get("name", link["kind"]), record["runs"]
        )
        yield row, record


def measured(row: Row, folder: Path) -> dict[str, Any]:
    """Returns the record of a row, from the folder or measured now."""
    words = ["--protocol", row.protocol, "--runs", str(row.runs), "--warmup", "1" if row.runs > 2 else "0"]
    words += [f"--fuse=online:{row.link}"] if row.fused else []
    return kept_latency(folder, row.name, row.recipe, row.link, words)


def cells(row: Row, record: dict[str, Any]) -> tuple[str, ...]:
    """Returns one line of the table."""
    online, offline = record["online"], record["offline"]
    median_s = online["latency_s"]["median"]
    relus = record["network"]["relu_count"]
    target = target_s(row, relus)
    moved, prepared = sum(online["bytes"].values()), sum(offline["bytes"].values())
    return (
        f"{row.recipe}{', fused' if row.fused else ''}",
        row.protocol,
        row.link,
        f"{1e3 * median_s:,.1f} ms",
        f"{1e3 * online['latency_s']['q1']:,.1f} to {1e3 * online['latency_s']['q3']:,.1f}",
        "-" if target is None else f"{1e3 * target:,.0f} ms, {'met' if median_s <= target else 'not met'}",
        f"{offline['time_s']:.2f} s",
        f"{moved / 1e6:,.1f} MB",
        f"{prepared / 1e6:,.0f} MB",
        f"{online['comm_round_count']:g}",
        f"{max(record['storage_bytes'].values()) / max(relus, 1):,.0f} B",
        "yes" if record["verification"]["passed"] else "NO",
    )


HEADER = (
    *("network", "protocol", "link", "online", "quartiles, ms", "target", "offline", "online bytes"),
    *("offline bytes", "rounds", "stored per ReLU, larger party", "verified"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parsed = parser.parse_args()
    parsed.folder.mkdir(parents=True, exist_ok=True)
    lines = [cells(row, record) for row, record in table_4(parsed.folder)]
    for row in rows():
        print(row.name, file=sys.stderr, flush=True)
        lines.append(cells(row, measured(row, parsed.folder)))
    print(f"pi-bench {pi_bench.__version__}, `python -m benchmarks.protocols_on_links FOLDER`")
    print("\n".join(table(HEADER, lines)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
