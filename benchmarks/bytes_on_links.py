"""The fewest bytes against the fastest packing, by part: offline bytes and times on loopback, LAN and WAN.

`python -m benchmarks.bytes_on_links FOLDER` measures the networks of DeepReDuce's Table 4, VGG16,
MobileNetV1 and ResNet50 with the defaults, with packed answers and silent OTs, and with three-halves
garbling besides (`CHOICES`). It keeps each record in FOLDER as soon as it is whole, so a run that was
interrupted continues, and prints a table with one line per network, link and choice. `--protocol`, `--link`
and `--network` choose a part of it. A protocol without garbled ReLUs has no choice of garbling.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pi_bench
from benchmarks.kept_latency import kept_latency
from benchmarks.markdown import table
from pi_bench.hybrid.parts import GARBLING, HE, OT, TABLES
from pi_bench.models.published.tables import load_table
from pi_bench.registry import find_protocol

CHOICES = {
    "compute, softspoken": ("--he-plan", "compute", "--ot", "softspoken"),
    "bytes, ferret": ("--he-plan", "bytes", "--ot", "ferret"),
    "bytes, ferret, three-halves": (*("--he-plan", "bytes", "--ot", "ferret", "--garbling", "three-halves"),),
}
RUNS = {"loopback": ("3", "1"), "lan": ("2", "1"), "wan": ("1", "0")}
"""Timed and untimed runs per link."""

LARGEST = "resnet50-imagenet-9608704"
"""Its inferences take minutes, so that it runs once per cell."""
LARGE = ("vgg16-cifar100-276480", "mobilenetv1-cifar100-411648", LARGEST)

PARTS = {"products": (HE,), "OTs": (OT,), "tables": (GARBLING, TABLES)}


def measured(folder: Path, recipe: str, protocol: str, link: str, choice: str) -> dict[str, Any]:
    """Returns the record of one cell, from the folder or measured now."""
    runs, warmup = ("1", "0") if recipe == LARGEST else RUNS[link]
    words = ["--protocol", protocol, *CHOICES[choice], "--runs", runs, "--warmup", warmup]
    return kept_latency(
        folder, f"{recipe}.{protocol}.{link}.{choice.replace(', ', '-')}", recipe, link, words
    )


def cells(recipe: str, link: str, choice: str, record: dict[str, Any]) -> tuple[str, ...]:
    """Returns one line of the table: bytes up and down together, and both times in seconds."""
    offline, online = record["offline"], record["online"]
    sizes = {name: sum(part["bytes"].values()) for name, part in offline["parts"].items()}
    parts = [sum(sizes.get(name, 0) for name in names) for names in PARTS.values()]
    prepared, moved = sum(offline["bytes"].values()), sum(online["bytes"].values())
    return (
        *(recipe, link, choice),
        *(f"{1e-6 * size:,.1f}" for size in (*parts, prepared, moved, prepared + moved)),
        f"{offline['time_s']:.2f} s",
        f"{online['latency_s']['median']:.3f} s",
        "yes" if record["verification"]["passed"] else "NO",
    )


HEADER = (
    *("network", "link", "packing, OTs, garbling", *(f"{name}, MB" for name in PARTS)),
    *("offline, MB", "online, MB", "all, MB", "offline", "online", "verified"),
)


def choices_of(protocol: str) -> list[str]:
    """Returns the choices whose options a protocol has."""
    flags = {option.flag for option in find_protocol(protocol).options}
    return [name for name, words in CHOICES.items() if flags.issuperset(words[::2])]


def rows(networks: list[str], links: list[str], choices: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yields network, link and choice. The choices to compare follow each other, to meet the same machine."""
    for recipe in networks:
        for link in links:
            yield from ((recipe, link, choice) for choice in choices)


def main() -> int:
    table_4 = [network.recipe for network in load_table("deepreduce-4").networks]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", nargs="+", default=[*table_4, *LARGE])
    parser.add_argument("--link", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--protocol", default="delphi")
    parsed = parser.parse_args()
    parsed.folder.mkdir(parents=True, exist_ok=True)
    lines = [
        cells(recipe, link, choice, measured(parsed.folder, recipe, parsed.protocol, link, choice))
        for recipe, link, choice in rows(parsed.network, parsed.link, choices_of(parsed.protocol))
    ]
    print(f"pi-bench {pi_bench.__version__}, `python -m benchmarks.bytes_on_links FOLDER`, {parsed.protocol}")
    print("\n".join(table(HEADER, lines)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
