"""A hostile program is refused within bounds of time and memory, in a process that can have no more."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pi_bench.network.program.codec import _VERSION, MAX_HEADER_BYTES, MAX_OPS
from pi_bench.session.handshake import MAX_PROGRAM_BYTES

MEMORY_BYTES = 200 << 20
TIME_S = 10.0  # of processor time, on whatever machine runs the tests

READER = f"""
import os, resource, sys
from pathlib import Path
from pi_bench.errors import PeerError
from pi_bench.network.program.codec import program_from_bytes
for name in sys.argv[1:]:
    if os.fork():
        os.wait()
        continue
    data = Path(name).read_bytes()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + {MEMORY_BYTES},) * 2)
    before_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    try:
        program_from_bytes(data)
    except PeerError as error:
        took_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before_s
        Path(name + ".refused").write_text(f"{{took_s}} {{error}}")
    os._exit(0)
"""
"""Reads each file in a process of its own, which writes what the refusal took and says."""


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
    return "[" + f"{piece}," * (size // (len(piece) + 1) - 1) + piece + "]"


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The refusals, which one interpreter's forks write."""
    made = tmp_path_factory.mktemp("programs")
    names = [str(made / name) for name in (*HOSTILE, "arrays")]
    for name, header in HOSTILE.items():
        (made / name).write_bytes(container(header()))
    (made / "arrays").write_bytes(arrays_that_no_operator_has())
    subprocess.run([sys.executable, "-P", "-c", READER, *names], check=True, timeout=600)
    return made


def require_cheap_refusal(file: Path) -> str:
    took_s, message = file.with_name(f"{file.name}.refused").read_text().split(" ", 1)
    assert float(took_s) < TIME_S
    return message


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_are_refused_cheaply(name: str, folder: Path) -> None:
    assert require_cheap_refusal(folder / name).startswith("the server's program cannot be used: ")


def arrays_that_no_operator_has() -> bytes:
    size = MAX_PROGRAM_BYTES - 4096
    entry = f'[["a","|u1",[{size}],0,{size}]]'
    return container(program("[]", arrays=entry), bytes(-(-size // 64) * 64))


def test_arrays_that_no_operator_has_are_refused_cheaply(folder: Path) -> None:
    require_cheap_refusal(folder / "arrays")
