"""The parties as processes: the message when one fails, and that none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pi_bench.errors import ConnectionFailedError, PeerError, PeerGaveUpError
from pi_bench.launch.party_process import PartyProcess, Watchdog
from pi_bench.launch.placement import Placement
from pi_bench.launch.processes import Parties, _rank
from pi_bench.protocol import Party
from tests.waiting import eventually

ONE_THREAD = Placement(1, (), ())


def gone(pid: int) -> bool:
    """Whether the process ends soon; one that nobody has waited for counts as ended."""

    def ended() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    return eventually(ended)


BUSY = "import time\nwhile True:\n    sum(range(100_000))\n    time.sleep(0.02)"
"""A program that uses a tenth of a core."""


def receive_all(parties: Parties) -> None:
    """Receives "started", which a server may have sent before a signal reaches it, and what never comes."""
    parties.receive(Party.SERVER, "started", 60)
    parties.receive(Party.SERVER, "listening", 60)


def test_a_killed_party_is_named() -> None:
    with Parties(ONE_THREAD, 5.0) as parties:
        process = parties.start(Party.SERVER)
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ConnectionFailedError, match=r"^the server process was killed \(SIGKILL\)"):
            receive_all(parties)


def test_a_party_that_is_not_ready_in_time_is_given_up() -> None:
    """It listens only after a request, which never comes here."""
    with Parties(ONE_THREAD, 60.0) as parties:
        parties.start(Party.SERVER)
        parties.receive(Party.SERVER, "started", 60)
        with pytest.raises(ConnectionFailedError, match=r"server process was not ready within 0\.1 s"):
            parties.receive(Party.SERVER, "listening", 0.1)


def test_a_party_that_is_stopped_as_it_starts_is_named() -> None:
    started = time.monotonic()
    with Parties(ONE_THREAD, 0.2) as parties:
        process = parties.start(Party.SERVER)
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(ConnectionFailedError, match=r"^the server process is stopped"):
            receive_all(parties)
    assert gone(process.pid)
    assert time.monotonic() - started < 10


def test_a_stopped_party_that_takes_no_message_is_named() -> None:
    with Parties(ONE_THREAD, 0.2) as parties:
        process = parties.start(Party.SERVER)
        parties.receive(Party.SERVER, "started", 60)
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(ConnectionFailedError, match=r"^the server process is stopped"):
            parties.send(Party.SERVER, "serve", {}, {"weights": np.zeros(1 << 22, np.uint8)})


def test_a_stopped_party_is_named_though_another_is_waited_for() -> None:
    with Parties(ONE_THREAD, 0.2) as parties:
        for party in Party:
            parties.start(party)
        for party in Party:
            parties.receive(party, "started", 60)
        os.kill(parties._running[Party.CLIENT].pid, signal.SIGSTOP)
        with pytest.raises(ConnectionFailedError, match="client process is stopped"):
            parties.receive(Party.SERVER, "listening")


@pytest.mark.parametrize(("code", "given_up"), [(BUSY, False), ("input()", True)])
def test_slow_is_not_silent(code: str, given_up: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        party = Watched(process.pid)
        watchdog = Watchdog(party)  # type: ignore[arg-type]
        eventually(watchdog.over, 4.0 if given_up else 1.5)
        over = watchdog.over()
        process.kill()
    assert over is given_up


class Watched:
    """As much of a `PartyProcess` as a `Watchdog` looks at."""

    silence_s = 0.0  # a `Watchdog` adds a second
    cpu_ticks = PartyProcess.cpu_ticks
    _stat = PartyProcess._stat

    def __init__(self, pid: int) -> None:
        self.pid = pid


def test_leaving_the_context_ends_both() -> None:
    pids = []
    with pytest.raises(ZeroDivisionError), Parties(ONE_THREAD, 5.0) as parties:
        pids += [parties.start(party).pid for party in Party]
        raise ZeroDivisionError
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


def test_a_killed_launcher_leaves_no_orphan() -> None:
    code = (
        "import time\n"
        "from pi_bench.launch.placement import Placement\n"
        "from pi_bench.launch.processes import Parties\n"
        "from pi_bench.protocol import Party\n"
        "with Parties(Placement(1, (), ()), 5.0) as parties:\n"
        "    print(*[parties.start(party).pid for party in Party], flush=True)\n"
        "    time.sleep(60)\n"
    )
    launcher = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    with launcher.stdout:
        pids = [int(pid) for pid in launcher.stdout.readline().split()]
    assert len(pids) == 2
    launcher.kill()
    launcher.wait()
    assert all(gone(pid) for pid in pids)


def test_a_party_that_computes_dies_with_its_launcher() -> None:
    """It does not look at its pipe, so the kernel must end it."""
    party = (
        "import os, time\n"
        "from pi_bench.launch.child import die_with_launcher\n"
        "die_with_launcher(os.getppid())\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(60)\n"
    )
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {party!r}])"
    launcher = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    with launcher.stdout:
        pid = int(launcher.stdout.readline())
        launcher.kill()
        launcher.wait()
        assert gone(pid)


@pytest.mark.parametrize("module", ["client_process", "server_process"])
def test_parties_never_import_torch(module: str) -> None:
    code = f"import sys, pi_bench.launch.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_causes_are_told_before_consequences() -> None:
    errors = [
        ZeroDivisionError("a bug"),
        PeerError("digest differs"),
        PeerGaveUpError("the other party ended the session: digest differs"),
        ConnectionFailedError("the server process was killed"),
        ConnectionFailedError("the other party closed the connection"),
    ]
    assert sorted(reversed(errors), key=_rank) == errors


@pytest.mark.parametrize("place", ["terminate", "reap"])
def test_an_interruption_of_the_end_leaves_no_party(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes once, before the first party is told to end, or is waited for."""
    end = getattr(PartyProcess, place)

    def interrupted(process: PartyProcess) -> None:
        monkeypatch.setattr(PartyProcess, place, end)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Parties(ONE_THREAD, 5.0) as parties:
        started = [parties.start(party) for party in Party]
        monkeypatch.setattr(PartyProcess, place, interrupted)
    assert all(not Path(f"/proc/{process.pid}").exists() for process in started)
