"""A hostile program is refused within bounds of time and memory, in a process that can have no more."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable

import pytest

from pi_bench.network.program.codec import _VERSION, MAX_HEADER_BYTES, MAX_OPS
from pi_bench.session.handshake import MAX_PROGRAM_BYTES

MEMORY_BYTES = 200 << 20
TIME_S = 10.0  # of processor time, on whatever machine runs the tests

READER = f"""
import resource, sys
from pathlib import Path
from pi_bench.errors import PeerError
from pi_bench.network.program.codec import program_from_bytes
data = sys.stdin.buffer.read()
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {MEMORY_BYTES},) * 2)
before_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime
try:
    program_from_bytes(data)
except PeerError as error:
    took_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before_s
    assert took_s < {TIME_S}, took_s
    print(error)
"""


def container(header: bytes, data: bytes = b"") -> bytes:
    prefix = b"PIBC" + struct.pack("<HHI", 1, 0, len(header)) + header
    return prefix + bytes(-len(prefix) % 64) + data


def program(ops: str, labels: str = "[]", arrays: str = "[]") -> bytes:
    head = f'{{"arrays":{arrays},"meta":{{"format":"pi-bench program","labels":{labels},"name":"x","ops":'
    return f'{head}{ops},"version":{_VERSION},"weight_bits":10}}}}'.encode()


def tiny(position: int) -> str:
    """An operator in as few bytes as it can have."""
    fields = {"op": "multiply", "id": position, "name": "", "shape": [1, 1], "scale_bits": 0}
    return json.dumps({**fields, "left": 0, "right": 0}, separators=(",", ":"))


def filled(piece: str, size: int = MAX_HEADER_BYTES - 1000) -> str:
    return "[" + ",".join([piece] * (size // (len(piece) + 1))) + "]"


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a header as large as the program may be": lambda: program(filled("[]", MAX_PROGRAM_BYTES - 1000)),
    "empty lists": lambda: program(filled("[]")),
    "empty objects": lambda: program(filled("{}")),
    "deep nesting": lambda: program("[" * (MAX_HEADER_BYTES // 2)),
    "tiny operators": lambda: program(filled(tiny(0))),
    "as many operators as are allowed": lambda: program("[" + ",".join(map(tiny, range(MAX_OPS))) + "]"),
    "labels": lambda: program("[]", labels=filled('""')),
    "a long number": lambda: program("1" * (MAX_HEADER_BYTES - 1000)),
    "many arrays": lambda: program("[]", arrays=filled('["a","|u1",[0],0,0]')),
    "one wide operator": lambda: program(
        '[{"op":"linear","id":0,"name":"","shape":[1,1],"scale_bits":0,"bias":null,"mac_count":0,"terms":'
        + filled("0")
        + "}]"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_are_refused_cheaply(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-P", "-c", READER],
        input=container(HOSTILE[name]()),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    assert run.stdout.startswith(b"the server's program cannot be used: ")


def test_arrays_that_no_operator_has_are_refused_cheaply() -> None:
    size = MAX_PROGRAM_BYTES - 4096
    entry = f'[["a","|u1",[{size}],0,{size}]]'
    data = container(program("[]", arrays=entry), bytes(-(-size // 64) * 64))
    run = subprocess.run(
        [sys.executable, "-P", "-c", READER], input=data, capture_output=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr.decode()[-2000:]
