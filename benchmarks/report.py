"""The stored report as a table: target, measured, how far from the machine's limit.

``python -m benchmarks.report [FILE.json]`` prints Markdown; without a file the newest one that
`make bench` stored.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.markdown import table
from benchmarks.targets import TARGETS

STORAGE = Path(".benchmarks")
BUSY_LOAD = 0.5
"""Load average of the minute before, from which on other work was running during the benchmarks."""


def newest(storage: Path = STORAGE) -> Path:
    """Returns the report that was stored last.

    Raises:
        FileNotFoundError: none is there.
    """
    found = sorted(storage.glob("*/*.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"no report under {storage}; run `make bench`")
    return found[-1]


def target_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Returns a row for each target: title, target, measured, measured over target, measured over limit."""
    measured = {
        entry["key"]: entry
        for benchmark in report["benchmarks"]
        for entry in benchmark["extra_info"].get("targets", ())
    }
    rows = []
    for key, target in TARGETS.items():
        bound = f"≤ {target.limit:g} {target.unit}"
        if key not in measured:
            rows.append((target.title, bound, "not measured", "", "", ""))
            continue
        value, limit = measured[key]["value"] * target.per_unit, measured[key]["limit"]
        rows.append(
            (
                target.title,
                bound,
                f"{value:.3g} {target.unit}",
                f"{value / target.limit:.2f}",
                "yes" if value <= target.limit else "**no**",
                f"{measured[key]['value'] / limit:.2f}" if limit else "",
            )
        )
    return rows


def network_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Returns a row for each whole network: time and bytes of each phase."""
    rows = []
    for benchmark in report["benchmarks"]:
        info = benchmark["extra_info"]
        if "online_s" not in info:
            continue
        online, offline = info["online_bytes"], info["offline_bytes"]
        rows.append(
            (
                benchmark["name"].removeprefix("test_"),
                f"{info['relu_count']:,}",
                f"{1e3 * info['online_s']['median']:.1f} ms",
                f"{1e3 * info['online_s']['q1']:.1f} to {1e3 * info['online_s']['q3']:.1f} ms",
                f"{info['offline_s']:.2f} s",
                f"{info['first_inference_s']:.2f} s",
                f"{online['client_to_server'] / 1e6:.2f} / {online['server_to_client'] / 1e6:.2f} MB",
                f"{offline['client_to_server'] / 1e6:.1f} / {offline['server_to_client'] / 1e6:.1f} MB",
                f"{info['rounds']:g}",
                f"{info['storage_bytes'] / 1e6:.1f} MB",
            )
        )
    return rows


def render(report: Mapping[str, Any]) -> str:
    machine = report["benchmarks"][0]["extra_info"]
    lines = [
        f"{machine['cpu_model']}, {machine['usable_core_count']} cores, commit {machine['commit']}, "
        f"{report['datetime'][:16]}",
        *load_warning(machine["load_average"]),
        "",
        *table(
            ("", "target", "measured", "ratio to target", "met", "times machine's limit"), target_rows(report)
        ),
    ]
    networks = network_rows(report)
    if networks:
        header = ("network", "ReLUs", "online", "quartiles", "offline", "set-up + offline + online")
        header += ("online up / down", "offline up / down", "rounds", "stored")
        lines += ["", *table(header, networks)]
    return "\n".join(lines)


def load_warning(load_average: float) -> list[str]:
    """Lines for a reader, none where the machine was quiet."""
    if load_average < BUSY_LOAD:
        return []
    return [
        "",
        f"The machine was busy when this began (load average {load_average:.1f}): repeat it in quiet.",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="a stored report (default: the newest)")
    parsed = parser.parse_args(arguments)
    try:
        print(render(json.loads((parsed.file or newest()).read_text())))
    except (OSError, ValueError, LookupError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
