"""Counts right verdicts of `pi-bench compare`: a network against itself, and against a planted slowdown.

`python -m benchmarks.compare_verdicts MODEL.pt` compares the network with itself 20 times, and 10 times with
a protocol that is `delphi` whose client computes for a tenth longer. It prints each verdict with its ratio
and interval, and counts those that are right. `--same N --slowed N` change the numbers; `--factor 0.05` gives
another slowdown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SLOWED = '''"""delphi, whose client stays busy after each inference for a part of the time that it took."""

import time
from dataclasses import replace

from pi_bench.registry import find_protocol

FACTOR = {factor}
DELPHI = find_protocol("delphi")


class SlowedClient(DELPHI.client):
    def infer(self, material, encoded_input):
        start = time.perf_counter()
        answer = super().infer(material, encoded_input)
        end = time.perf_counter()
        while time.perf_counter() < end + FACTOR * (end - start):
            pass
        return answer


PROTOCOL = replace(DELPHI, name="slowed", title="delphi, slowed down", client=SlowedClient, default=False)
'''


def install_slowed(folder: Path, factor: float) -> None:
    """Writes a package with the protocol `slowed` and its entry point into a folder for ``PYTHONPATH``."""
    (folder / "slowed.py").write_text(_SLOWED.format(factor=factor))
    info = folder / "slowed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slowed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pi_bench.protocols]\nslowed = slowed:PROTOCOL\n")


def compare(arguments: Sequence[str], folder: Path) -> dict[str, Any]:
    """Runs `pi-bench compare`, and returns the online ratio of the second side, with its verdict."""
    target = folder / "comparison.json"
    command = [sys.executable, "-m", "pi_bench", "compare", *arguments, "--no-history", "--json", str(target)]
    places = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"pi-bench compare failed ({done.returncode}): {done.stderr}")
    found: dict[str, Any] = json.loads(target.read_text())["ratios"][0]
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Compares, and prints a line per try and the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="of the network, which the protocol delphi runs")
    parser.add_argument(
        "--same", type=int, default=20, help="tries of the network against itself (default 20)"
    )
    parser.add_argument("--slowed", type=int, default=10, help="tries against the slowdown (default 10)")
    parser.add_argument("--factor", type=float, default=0.1, help="planted slowdown (default 0.1)")
    parsed = parser.parse_args(argv)
    cases = {
        "same": (parsed.same, [parsed.model, parsed.model], "no difference shown"),
        "slowed": (parsed.slowed, [parsed.model, "--protocol", "delphi,slowed"], "slower"),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install_slowed(folder, parsed.factor)
        for case, (tries, arguments, wanted) in cases.items():
            right = 0
            for number in range(1, tries + 1):
                start = time.monotonic()
                found = compare(arguments, folder)
                right += found["verdict"] == wanted
                print(
                    f"{case} {number}: {found['verdict']}, {found['ratio']:.3f} "
                    f"({found['interval'][0]:.3f} to {found['interval'][1]:.3f}), "
                    f"{time.monotonic() - start:.0f} s",
                    flush=True,
                )
            print(f"{case}: {right} of {tries} verdicts are {wanted!r}", flush=True)


if __name__ == "__main__":
    main()
