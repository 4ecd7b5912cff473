"""The systems that are compared: how each is run once, and its description of itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TIMEOUT_S = 900
_SPU_BYTES = re.compile(r"Link details: total send bytes (\d+), recv bytes (\d+)")


@dataclass(frozen=True)
class Run:
    """One start of a system. Seconds; bytes are of one inference, both directions."""

    set_up_s: float  # before the first inference, connection and keys
    offline_s: list[float]  # of each inference; empty where nothing is offline
    online_s: list[float]
    online_bytes: int
    offline_bytes: int
    output: list[float]
    bits: str = ""  # of activations and weights, where a system has them by layer


@dataclass(frozen=True)
class System:
    """`peer`: the folder of its environment under the peers' folder, None for this project."""

    name: str
    peer: str | None
    security: str
    run: Callable[[Workload, Path, int], Run]


@dataclass(frozen=True)
class Workload:
    """`model`: for this project; `network`: the same floats for the others (`plain_network`)."""

    name: str
    model: Path
    network: Path


def _command(command: list[str], variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_S, env=os.environ | (variables or {})
    )
    if done.returncode:
        raise RuntimeError(f"{Path(command[1]).name}: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout + done.stderr


def _cores() -> list[str]:
    """Places both parties apart on the first two cores, as `pi-bench latency` places its own."""
    usable = sorted(os.sched_getaffinity(0))
    return ["--cores", f"{usable[0]},{usable[1]}"] if len(usable) > 1 else []


def _pi_bench(workload: Workload, peers: Path, repetitions: int) -> Run:
    result, noise = workload.model.with_suffix(".json"), workload.network.with_suffix(".npy")
    answer = workload.model.with_suffix(".out.npy")
    command = [sys.executable, "-P", "-m", "pi_bench", "latency", str(workload.model), "--warmup", "0"]
    command += ["--runs", str(repetitions), "--json", str(result)]
    _command([*command, "--input", str(noise), "--output", str(answer)])
    import numpy as np

    found = json.loads(result.read_text())
    return Run(
        set_up_s=found["setup"]["time_s"],
        offline_s=found["offline"]["samples_s"],
        online_s=found["online"]["latency_s"]["samples"],
        online_bytes=sum(found["online"]["wire_bytes"].values()),
        offline_bytes=sum(found["offline"]["wire_bytes"].values()),
        output=np.load(answer).ravel().tolist(),
        bits="/".join(_span(found["bits"][kind].values()) for kind in ("activations", "weights")),
    )


def _span(bits: Iterable[int]) -> str:
    present = sorted(bits)
    if not present:
        return "-"
    return f"{present[0]}" if present[0] == present[-1] else f"{present[0]} to {present[-1]}"


def _peer(script: str, peer: str, *arguments: str) -> Callable[[Workload, Path, int], Run]:
    def run(workload: Workload, peers: Path, repetitions: int) -> Run:
        python = peers / peer / "bin" / "python"
        command = [str(python), str(HERE / script), str(workload.network), *arguments]
        text = _command([*command, "--repetitions", str(repetitions), *_cores()], {"OMP_NUM_THREADS": "1"})
        found: dict[str, Any] = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
        sizes = [int(sent) + int(received) for sent, received in _SPU_BYTES.findall(text)]
        moved = found["bytes"] if "bytes" in found else sizes[-1]
        return Run(found["set_up_s"], [], found["times_s"], moved, 0, found["output"])

    return run


PI_BENCH = System(
    "pi-bench, delphi",
    None,
    "semi-honest, no dealer; preprocessing real; windowed truncation (at most 1 ulp), no failures",
    _pi_bench,
)
CRYPTEN = System(
    "CrypTen 0.4.1",
    "crypten",
    "INSECURE preprocessing: party 0 deals the triples, inside the time shown; 64-bit ring, 16-bit fraction, "
    "local truncation of shares, which fails with small probability",
    _peer("crypten_run.py", "crypten"),
)
SPU_SEMI2K = System(
    "SPU 0.9.5, SEMI2K",
    "spu",
    "INSECURE preprocessing: party 0 deals the triples, inside the time shown; 64-bit ring, 18-bit fraction, "
    "local truncation of shares, which fails with small probability",
    _peer("spu_run.py", "spu", "--protocol", "SEMI2K", "--field", "FM64"),
)
SPU_CHEETAH_64 = System(
    "SPU 0.9.5, Cheetah, FM64",
    "spu",
    "semi-honest, no dealer, nothing offline; 64-bit ring, 18-bit fraction, approximate truncation",
    _peer("spu_run.py", "spu", "--protocol", "CHEETAH", "--field", "FM64"),
)
SPU_CHEETAH_32 = System(
    "SPU 0.9.5, Cheetah, FM32",
    "spu",
    "as with FM64; 32-bit ring, 8-bit fraction",
    _peer("spu_run.py", "spu", "--protocol", "CHEETAH", "--field", "FM32"),
)
