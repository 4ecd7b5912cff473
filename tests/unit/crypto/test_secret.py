"""Secrets: locked, not dumped, wiped, never printed, pickled or inherited."""

from __future__ import annotations

import copy
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pi_bench.crypto import secret as secret_module
from pi_bench.crypto.secret import SecretBytes, fill_random, wipe
from pi_bench.errors import EnvironmentUnsupportedError


def _vm_flags(address: int) -> list[str]:
    """Flags of the mapping that holds `address`, as the kernel reports them."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        span = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if span:
            inside = int(span[1], 16) <= address < int(span[2], 16)
        elif inside and line.startswith("VmFlags:"):
            return line.split()[1:]
    raise AssertionError("no such mapping")


def test_pages_are_locked_not_dumped_and_not_forked() -> None:
    with SecretBytes(100) as secret:
        flags = _vm_flags(secret.array.ctypes.data)
    assert {"lo", "dd"} <= set(flags)
    assert {"wf", "dc"} & set(flags)


def test_close_wipes_while_a_view_is_alive() -> None:
    secret = SecretBytes.random(64)
    view = secret.array
    assert view.any()
    secret.close()
    secret.close()
    assert not view.any()
    with pytest.raises(ValueError, match="wiped"):
        _ = secret.array


def test_a_view_keeps_the_secret() -> None:
    view = SecretBytes.random(64).array
    assert view.any()


def test_dropping_the_last_view_wipes(monkeypatch: pytest.MonkeyPatch) -> None:
    wiped: list[int] = []

    class Recording:
        def explicit_bzero(self, address: object, byte_count: int) -> None:
            wiped.append(byte_count)

    secret = SecretBytes.random(64)
    view = secret.array
    monkeypatch.setattr(secret_module, "_libc", Recording())
    del secret
    assert not wiped
    del view
    assert wiped == [4096]


def test_close_unmaps_when_nobody_looks() -> None:
    secret = SecretBytes.random(3)
    address = secret.array.ctypes.data
    secret.close()
    with pytest.raises(AssertionError, match="no such mapping"):
        _vm_flags(address)


def test_array_is_a_writable_view_of_the_exact_size() -> None:
    secret = SecretBytes(5)
    assert secret.array.dtype == np.uint8
    assert secret.array.shape == (5,)
    assert not secret.array.any()
    secret.array[:] = 7
    assert bytes(secret.array) == b"\7" * 5
    assert len(secret) == 5


def test_copy_of_copies() -> None:
    source = np.arange(10, dtype=np.uint8)
    secret = SecretBytes.copy_of(source)
    wipe(source)
    assert not source.any()
    assert list(secret.array) == list(range(10))


def test_random_secrets_differ() -> None:
    first, second = SecretBytes.random(32), SecretBytes.random(32)
    assert bytes(first.array) != bytes(second.array)


def test_repr_str_and_format_show_the_size_alone() -> None:
    secret = SecretBytes.copy_of(b"\xab" * 16)
    for text in (repr(secret), str(secret), f"{secret}"):
        assert text == "SecretBytes(16 bytes)"


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_no_pickle_and_no_copy(leak: object) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        leak(SecretBytes(16))  # type: ignore[operator]


@pytest.mark.parametrize("size", [0, -1])
def test_impossible_sizes(size: int) -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        SecretBytes(size)


def test_a_forked_child_cannot_read_it() -> None:
    secret = SecretBytes.random(16)
    early_view = secret.array
    flags = _vm_flags(early_view.ctypes.data)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _ = secret.array
            os.write(writer, b"read")
        except ValueError:
            secret.close()
            dead = "dc" in flags or not early_view.any()
            os.write(writer, b"refused" if dead else b"inherited")
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reader, 16) == b"refused"
    os.close(reader)
    os.close(writer)
    assert secret.array.any()


def test_a_refused_lock_is_a_clear_error() -> None:
    code = (
        "import os, resource\n"
        "from pi_bench.crypto.secret import SecretBytes\n"
        "from pi_bench.errors import EnvironmentUnsupportedError\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))\n"
        "if os.geteuid() == 0: os.setuid(65534)  # root may lock whatever the limit says\n"
        "try: SecretBytes(16)\n"
        "except EnvironmentUnsupportedError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "cannot lock 4096 bytes" in done.stdout, done.stderr
    assert "ulimit -l" in done.stdout


def test_a_refused_lock_leaves_no_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def mlock(self, address: object, byte_count: int) -> int:
            return -1

        def explicit_bzero(self, address: object, byte_count: int) -> None:
            pass

    monkeypatch.setattr(secret_module, "_libc", Refusing())
    with pytest.raises(EnvironmentUnsupportedError, match="cannot lock"):
        SecretBytes(16)


def test_fill_random_covers_every_byte() -> None:
    seen = np.zeros(1000, np.uint8)
    for _ in range(8):
        array = np.zeros(1000, np.uint8)
        fill_random(array)
        seen |= array
    assert (seen != 0).all()  # a byte stays zero in all with probability 2**-64


def test_wipe_refuses_what_it_cannot_write() -> None:
    with pytest.raises((BufferError, ValueError, TypeError)):
        wipe(np.frombuffer(b"constant", np.uint8))
