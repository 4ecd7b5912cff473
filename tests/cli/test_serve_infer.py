"""Server and client as in two terminals; ends by Ctrl-C, by signals, by bad clients."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from pi_bench.channel import Address
from pi_bench.errors import PeerError
from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_run import outputs
from tests.schemas import require_valid
from tests.waiting import eventually

PI_BENCH = [sys.executable, "-m", "pi_bench"]


class Serving:
    """A `pi-bench serve` that has said where it listens."""

    def __init__(self, model_file: Path, *flags: str) -> None:
        self.process = subprocess.Popen(
            [*PI_BENCH, "serve", str(model_file), "--listen", "127.0.0.1:0", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.line().split(" at ")[1].split(",")[0]
        self.digest = self.line().split()[1]

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    @property
    def party_pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        pids = [int(pid) for pid in children.split()]
        return [pid for pid in pids if b"server_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def serving(model_file: Path) -> Iterator[Callable[..., Serving]]:
    started: list[Serving] = []

    def start(*flags: str) -> Serving:
        started.append(Serving(model_file, *flags))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def input_file(tmp_path: Path, tiny_input: np.ndarray) -> Path:
    np.save(tmp_path / "x.npy", tiny_input)
    return tmp_path / "x.npy"


def infer(server: Serving, input_file: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """From an empty folder: the client finds no model there."""
    empty = input_file.parent / "empty"
    empty.mkdir(exist_ok=True)
    return subprocess.run(
        [*PI_BENCH, "infer", "--connect", server.address, "--input", str(input_file), *flags],
        cwd=empty,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def ended(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_two_terminals(
    serving: Callable[..., Serving], input_file: Path, tiny_graph: Graph, tiny_input: np.ndarray
) -> None:
    server = serving()
    target = input_file.with_name("y.npy")
    run = infer(server, input_file, "--output", str(target), "--expect-digest", server.digest[:16].upper())
    assert run.returncode == 0, run.stderr
    np.testing.assert_allclose(np.load(target), outputs(tiny_graph, tiny_input[None]), atol=0.1)
    assert "online" in run.stdout and ("cat" in run.stdout or "dog" in run.stdout)
    time_of_day, words = server.line().split(" ", 1)
    age_s = (datetime.now(UTC) - datetime.fromisoformat(time_of_day)).total_seconds()
    assert -1 <= age_s < 120  # fails without an offset, too
    assert words.startswith("client 127.0.0.1")
    assert "left after 1 inference," in server.line()


def test_a_batch_has_numbered_images_and_the_answer_is_said_to_be_unverified(
    serving: Callable[..., Serving], input_file: Path, tiny_graph: Graph, tiny_input: np.ndarray
) -> None:
    server = serving("--protocol", "fss", "--mode", "exact", "--batch", "2", "--ahead", "3")
    images = np.stack([tiny_input, -tiny_input])
    np.save(input_file, images)
    target = input_file.with_name("answer.json")
    run = infer(server, input_file, "--json", str(target))
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    first, second = lines.index("input 0:"), lines.index("input 1:")
    answer = json.loads(target.read_text())
    require_valid(answer, "answer")
    assert answer["digest"] == server.digest and answer["verified"] is False
    np.testing.assert_allclose(answer["outputs"]["logits"], outputs(tiny_graph, images), atol=0.1)
    for line, label in zip((first, second), answer["outputs"]["label"], strict=True):
        assert lines[line + 1].split()[1] == label
    trust = "not verified: a check would need the server's shares"
    assert trust in run.stdout and "`pi-bench accuracy`" in answer["verification"]
    caveat = "Protocol fss is new. It was reviewed inside this project, not by outside cryptographers."
    assert server.line() == caveat == answer["notes"][0]
    assert run.stdout.count(caveat) == 1 and caveat not in run.stderr
    assert "use shared tables" in server.line()
    assert server.line() == "each offline phase prepares 3 inferences"
    unused = "this client leaves 2 inferences of the offline phase unused"
    assert unused in answer["notes"] and unused in run.stdout
    assert infer(server, input_file, "--max-ahead", "3").returncode == 0
    refused = infer(server, input_file, "--max-ahead", "2")
    assert refused.returncode == PeerError.exit_code
    assert (
        "prepares 3 inferences per offline phase (--ahead), and the client accepts at most 2"
        in refused.stderr
    )
    assert len(refused.stderr.splitlines()) == 1


def test_bad_clients_cost_nobody_else(serving: Callable[..., Serving], input_file: Path) -> None:
    server = serving("--protocol", "ideal")
    where = Address.parse(server.address)
    for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 4, b"", os.urandom(300)):
        with socket.create_connection((where.host, where.port)) as client:
            client.sendall(garbage)
        server.line()
        ending = "refused: the client" if garbage else "lost: the client closed the connection"
        assert ending in server.line()
    refused = infer(server, input_file, "--expect-digest", "00ff" * 16)
    assert refused.returncode == 6
    assert "expects 00ff00ff" in refused.stderr and "Traceback" not in refused.stderr
    server.line()
    assert "refused: network digest: the client expects 00ff00ff" in server.line()  # both parties name it
    wrong_shape = input_file.with_name("wrong.npy")
    np.save(wrong_shape, np.zeros((1, 1)))
    assert infer(server, wrong_shape).returncode == 4
    server.line()
    assert "ended the session: the client's input does not fit this network" in server.line()
    run = infer(server, input_file)
    assert run.returncode == 0
    assert "INSECURE" in run.stderr


class Relay:
    """Relays between client and server. Byte `flipped` of the server's bytes loses its lowest bit."""

    def __init__(self, address: str, flipped: int | None = None) -> None:
        self._where = Address.parse(address)
        self._flipped = flipped
        self.down_bytes = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._listener.getsockname())
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection((self._where.host, self._where.port))
        with client, server:
            up = threading.Thread(target=self._carry_up, args=(client, server))
            up.start()
            with contextlib.suppress(OSError):
                while data := bytearray(server.recv(1 << 16)):
                    index = -1 if self._flipped is None else self._flipped - self.down_bytes
                    if 0 <= index < len(data):
                        data[index] ^= 1
                    self.down_bytes += len(data)
                    client.sendall(data)
                client.shutdown(socket.SHUT_WR)
            up.join()

    def _carry_up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)


def test_a_flipped_bit_of_the_logits_gives_no_answer(
    serving: Callable[..., Serving], input_file: Path
) -> None:
    server = serving("--mode", "exact")
    target = input_file.with_name("y.npy")
    direct = server.address
    with Relay(direct) as whole:
        server.address = whole.address
        assert infer(server, input_file).returncode == 0
    server.line()
    assert "left after 1 inference," in server.line()
    digests = 2 * (36 + 32)  # the frames after the logits: one per comparison
    with Relay(direct, whole.down_bytes - digests - 4) as flipping:  # the lowest bit of the last logit
        server.address = flipping.address
        run = infer(server, input_file, "--output", str(target))
    assert run.returncode == 6
    assert "the connection changed bytes on their way" in run.stderr
    assert run.stdout == "" and not target.exists()
    server.line()
    assert "refused: the connection changed bytes on their way" in server.line()


def test_a_server_of_another_protocol_is_named_at_once(input_file: Path) -> None:
    """Without --timeout, which would be two minutes."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        started = time.monotonic()
        run = subprocess.run(
            [*PI_BENCH, "infer", "--connect", f"127.0.0.1:{web.server_port}", "--input", str(input_file)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        web.shutdown()
        thread.join()
    assert run.returncode == 6
    assert f"the server at 127.0.0.1:{web.server_port} speaks HTTP, not pi-bench" in run.stderr
    assert "check the host" in run.stderr
    assert time.monotonic() - started < 30


def test_killed_server_party(serving: Callable[..., Serving], input_file: Path) -> None:
    server = serving("--protocol", "ideal")
    (party,) = server.party_pids
    os.kill(party, signal.SIGKILL)
    _, errors = server.process.communicate(timeout=20)
    assert server.process.returncode == 5
    assert "was killed (SIGKILL)" in errors and "Traceback" not in errors
    run = infer(server, input_file)
    assert run.returncode == 5


@pytest.mark.parametrize(
    ("number", "code", "words"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")]
)
def test_signals_end_both_processes(
    serving: Callable[..., Serving], number: signal.Signals, code: int, words: str
) -> None:
    server = serving("--protocol", "ideal")
    parties = server.party_pids
    assert len(parties) == 1
    server.process.send_signal(number)
    output, errors = server.process.communicate(timeout=20)
    assert server.process.returncode == code
    assert output.endswith(f" stopped by {words}\n")
    assert "error" not in errors and "Traceback" not in errors
    assert all(ended(pid) for pid in parties)


class Measuring:
    """A `pi-bench latency` that goes on until something happens to it; its progress is read from a terminal.

    Leaving the context ends the parties, stopped ones too, and the launcher.
    """

    def __init__(self, model_file: Path, *flags: str) -> None:
        self.screen = b""
        self.parties: dict[str, int] = {}
        self._master, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [
                *(*PI_BENCH, "latency", str(model_file), "--protocol", "ideal"),
                *("--runs", "100000", "--threads", "1", *flags),
            ],
            stdout=subprocess.DEVNULL,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

        def both_started() -> bool:
            for pid in children.read_text().split():
                command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                for name in ("client", "server"):
                    # With -m: before its exec, a fork has the words of its parent, which may name both.
                    if command[2:4] == ["-m", f"pi_bench.launch.{name}_process"]:
                        self.parties[name] = int(pid)
            return len(self.parties) == 2

        assert eventually(both_started), self.screen
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.parties.values():
            for number in (signal.SIGCONT, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._master)

    def wait_until_it_runs(self) -> None:
        assert eventually(lambda: b"run" in self.screen), self.screen

    def end(self) -> tuple[int, str]:
        """Exit code and errors; no party is left."""
        self.process.wait(timeout=30)
        self._reader.join()
        lines = self.screen.decode().replace("\x1b[2K", "\n").splitlines()
        assert not any("Traceback" in line for line in lines)
        assert all(ended(pid) for pid in self.parties.values())
        return self.process.returncode, lines[-1].strip()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the terminal's end is an error to its reader
            while data := os.read(self._master, 4096):
                self.screen += data


def test_ctrl_c_during_latency_leaves_no_orphan(model_file: Path) -> None:
    with Measuring(model_file) as measuring:
        assert str(model_file) not in Path(f"/proc/{measuring.parties['client']}/cmdline").read_text()
        finished = rb"(?:[6-9]|\d\d+)/10000\d\S* run"  # the warm-up and a timed run at least
        assert eventually(lambda: re.search(finished, measuring.screen) is not None), measuring.screen
        os.killpg(measuring.process.pid, signal.SIGINT)
        code, error = measuring.end()
    assert code == 130
    words = r"error: interrupted after \d[\d,]* of 100,000 runs: the result holds the finished ones"
    assert re.fullmatch(words, error), error


@pytest.mark.parametrize("party", ["client", "server"])
def test_killed_party_during_latency(model_file: Path, party: str) -> None:
    with Measuring(model_file) as measuring:
        measuring.wait_until_it_runs()
        os.kill(measuring.parties[party], signal.SIGKILL)
        code, error = measuring.end()
    assert code == 5
    assert f"the {party} process was killed (SIGKILL)" in error


@pytest.mark.parametrize("party", ["client", "server"])
@pytest.mark.parametrize("when", ["start", "run"])
def test_frozen_party_during_latency(model_file: Path, party: str, when: str) -> None:
    """At any moment: as it starts, and between, before or in the runs."""
    with Measuring(model_file, "--timeout", "1") as measuring:
        if when == "run":
            measuring.wait_until_it_runs()
        frozen = time.monotonic()
        os.kill(measuring.parties[party], signal.SIGSTOP)
        code, error = measuring.end()
        took_s = time.monotonic() - frozen
    assert code == 5
    assert f"the {party} process is stopped (SIGSTOP)" in error
    assert took_s < 15  # some seconds, were the machine not shared; start-up had a minute of its own


def test_both_parties_frozen(model_file: Path) -> None:
    """Neither can time out, so the launcher does."""
    with Measuring(model_file, "--timeout", "1") as measuring:
        measuring.wait_until_it_runs()
        for pid in measuring.parties.values():
            os.kill(pid, signal.SIGSTOP)
        code, error = measuring.end()
    assert code == 5
    assert "process is stopped (SIGSTOP)" in error


class Asking:
    """A `pi-bench infer` that leads a process group of its own, as a shell's foreground job does."""

    def __init__(self, where: str, input_file: Path) -> None:
        self.process = subprocess.Popen(
            [*PI_BENCH, "infer", "--connect", where, "--input", str(input_file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ctrl_c(self) -> tuple[int, str]:
        """Its exit code and errors."""
        os.killpg(self.process.pid, signal.SIGINT)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors


def test_ctrl_c_while_waiting_for_a_server(input_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asking = Asking("{}:{}".format(*silent.getsockname()), input_file)
        with silent.accept()[0] as connection:
            connection.recv(1)  # it has greeted and waits for an offer
            assert asking.process.stderr is not None
            assert "it may be busy with another client" in asking.process.stderr.readline()
            assert asking.ctrl_c() == (130, "error: interrupted\n")


def test_ctrl_c_during_the_run(serving: Callable[..., Serving], input_file: Path) -> None:
    """The server's party is stopped when the client is connected, so that the run has not ended."""
    server = serving()
    (party,) = server.party_pids
    asking = Asking(server.address, input_file)
    assert "client 127.0.0.1" in server.line()
    os.kill(party, signal.SIGSTOP)
    try:
        code, errors = asking.ctrl_c()
    finally:
        os.kill(party, signal.SIGCONT)
    assert (code, errors) == (130, "error: interrupted\n")
    assert "lost: the client closed the connection" in server.line()
    assert infer(server, input_file).returncode == 0  # the next one is served


def test_a_connection_that_says_nothing_holds_nobody_up_for_long(
    serving: Callable[..., Serving], input_file: Path
) -> None:
    """The next client waits behind it, hears so, and is served."""
    server = serving("--protocol", "ideal")
    where = Address.parse(server.address)
    with socket.create_connection((where.host, where.port)):
        assert "client 127.0.0.1" in server.line()
        run = infer(server, input_file)
    assert run.returncode == 0, run.stderr
    assert "it may be busy with another client" in run.stderr
    assert "lost: no data from the client for 3 s" in server.line()


def test_waiting_for_the_turn_follows_the_time_out(serving: Callable[..., Serving], input_file: Path) -> None:
    server = serving("--protocol", "ideal")
    (party,) = server.party_pids
    os.kill(party, signal.SIGSTOP)
    try:
        run = infer(server, input_file, "--timeout", "1.5")
    finally:
        os.kill(party, signal.SIGCONT)
    assert run.returncode == 5
    assert run.stderr.splitlines()[-1].startswith(
        f"error: no data from the server at {server.address} for 1.5 s"
    )
