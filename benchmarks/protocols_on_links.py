"""Delphi and fss: the networks of DeepReDuce's Table 4 and larger ones, on loopback, LAN and WAN.

`python -m benchmarks.protocols_on_links FOLDER` measures every row with `pi-bench latency` and keeps each in
FOLDER as soon as it is whole, so a run that was interrupted continues. Then it prints the table with the
targets of protocol fss. `--only PART` measures the networks whose names contain PART.
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
from benchmarks.markdown import table

TABLE_4 = (557056, 229376, 196608, 147456, 114688, 57344, 49152, 28672, 24576, 14336, 12288, 7168)
WAN = (229376, 57344, 12288)
LARGE = ("vgg16-cifar100-276480", "mobilenetv1-cifar100-411648", "resnet50-imagenet-9608704")
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
    """Yields every row. Those of one network and link follow each other, to meet the same machine."""
    for count in TABLE_4:
        recipe = f"resnet18-cifar100-{count}"
        runs = {"loopback": 7, "lan": 5}
        if count == 229376:
            runs["10g"] = 5
        if count in WAN:
            runs["wan"] = 2
        for link, number in runs.items():
            for protocol in PROTOCOLS:
                yield Row(recipe, protocol, link, number)
    for link in ("lan", "wan"):
        for protocol in PROTOCOLS:
            yield Row("resnet18-cifar100-12288", protocol, link, 7, fused=True)
    for recipe in LARGE:
        for link, number in (("loopback", 1),) if "imagenet" in recipe else (("loopback", 5), ("lan", 3)):
            for protocol in PROTOCOLS:
                yield Row(recipe, protocol, link, number)


TARGETS_S = {
    "resnet18-cifar100-229376.fss.lan": 0.060,
    "resnet18-cifar100-229376.fss.10g": 0.040,
    "resnet18-cifar100-229376.fss.wan": 1.1,
    "resnet18-cifar100-557056.fss.lan": 0.100,
    "resnet18-cifar100-12288.fss.lan.fused": 0.012,
    "resnet18-cifar100-12288.fss.wan.fused": 0.350,
    "resnet50-imagenet-9608704.fss.loopback": 0.7,
    **{
        f"resnet18-cifar100-{count}.fss.lan": 0.033 if count <= 114688 else 0.060
        for count in TABLE_4
        if count not in (229376, 557056)
    },
}


def measured(row: Row, folder: Path) -> dict[str, Any]:
    """Returns the record of a row, from the folder or measured now."""
    path = folder / f"{row.name}.json"
    if path.exists():
        return dict(json.loads(path.read_text()))
    model = folder / f"{row.recipe}.pt"
    if not model.exists():
        command = [sys.executable, "-m", "pi_bench", "export", "--recipe", row.recipe, "-o", str(model)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    words = ["latency", str(model), "--protocol", row.protocol, "--runs", str(row.runs)]
    words += [] if row.link == "loopback" else ["--link", row.link]
    words += [f"--fuse=online:{row.link}"] if row.fused else []
    words += ["--warmup", "1" if row.runs > 2 else "0", "--no-history", "--json", str(path)]
    subprocess.run([sys.executable, "-m", "pi_bench", *words], check=True, stdout=subprocess.DEVNULL)
    return dict(json.loads(path.read_text()))


def cells(row: Row, record: dict[str, Any]) -> tuple[str, ...]:
    """Returns one line of the table."""
    online, offline = record["online"], record["offline"]
    target_s = TARGETS_S.get(row.name)
    median_s = online["latency_s"]["median"]
    relus = record["network"]["relu_count"]
    moved, prepared = sum(online["bytes"].values()), sum(offline["bytes"].values())
    return (
        f"{row.recipe}{', fused' if row.fused else ''}",
        row.protocol,
        row.link,
        f"{1e3 * median_s:,.1f} ms",
        f"{1e3 * online['latency_s']['q1']:,.1f} to {1e3 * online['latency_s']['q3']:,.1f}",
        "-"
        if target_s is None
        else f"{1e3 * target_s:,.0f} ms, {'met' if median_s <= target_s else 'not met'}",
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
    parser.add_argument("--only", default="", metavar="PART")
    parsed = parser.parse_args()
    parsed.folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for row in rows():
        if parsed.only not in row.recipe:
            continue
        print(row.name, file=sys.stderr, flush=True)
        lines.append(cells(row, measured(row, parsed.folder)))
    print(f"pi-bench {pi_bench.__version__}, `python -m benchmarks.protocols_on_links FOLDER`")
    print("\n".join(table(HEADER, lines)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
