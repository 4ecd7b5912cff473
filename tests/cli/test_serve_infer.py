"""Server and client as in two terminals; ends by Ctrl-C, by signals, by bad clients."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pi_bench.channel import Address
from pi_bench.network.graph import Graph
from pi_bench.network.graph_float import outputs

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
        return [int(pid) for pid in children.split()]

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
    assert "client 127.0.0.1" in server.line()
    assert "left after 1 inference(s)" in server.line()


def test_bad_clients_cost_nobody_else(serving: Callable[..., Serving], input_file: Path) -> None:
    server = serving("--protocol", "ideal")
    where = Address.parse(server.address)
    for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 4, b"", os.urandom(300)):
        with socket.create_connection((where.host, where.port)) as client:
            client.sendall(garbage)
        server.line()
        assert "lost:" in server.line()
    refused = infer(server, input_file, "--expect-digest", "00ff" * 16)
    assert refused.returncode == 6
    assert "insists on 00ff00ff" in refused.stderr and "Traceback" not in refused.stderr
    server.line()
    assert "insists on 00ff00ff" in server.line()  # both sides name it
    wrong_shape = input_file.with_name("wrong.npy")
    np.save(wrong_shape, np.zeros((1, 1)))
    assert infer(server, wrong_shape).returncode == 4
    server.line()
    assert "lost:" in server.line()
    run = infer(server, input_file)
    assert run.returncode == 0
    assert "INSECURE" in run.stderr


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
    ("number", "code", "words"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "")]
)
def test_signals_end_both_processes(
    serving: Callable[..., Serving], number: signal.Signals, code: int, words: str
) -> None:
    server = serving("--protocol", "ideal")
    parties = server.party_pids
    assert len(parties) == 1
    server.process.send_signal(number)
    _, errors = server.process.communicate(timeout=20)
    assert server.process.returncode == code
    assert words in errors and "Traceback" not in errors
    assert all(ended(pid) for pid in parties)


class Measuring:
    """A `pi-bench latency` that goes on until something happens to it."""

    def __init__(self, model_file: Path, *flags: str) -> None:
        self.process = subprocess.Popen(
            [
                *PI_BENCH,
                "latency",
                str(model_file),
                "--protocol",
                "ideal",
                "--runs",
                "100000",
                "--threads",
                "1",
                *flags,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        deadline = time.monotonic() + 30
        self.parties: dict[str, int] = {}
        while len(self.parties) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
            for pid in children.read_text().split():
                command = Path(f"/proc/{pid}/cmdline").read_text()
                for name in ("client", "server"):
                    if f"{name}_process" in command:
                        self.parties[name] = int(pid)
        assert str(model_file) not in Path(f"/proc/{self.parties['client']}/cmdline").read_text()
        for pid in self.parties.values():  # a connected party has a thread that sends
            while len(os.listdir(f"/proc/{pid}/task")) < 2 and time.monotonic() < deadline:
                time.sleep(0.02)
        time.sleep(0.5)

    def end(self) -> tuple[int, str]:
        """Exit code and errors; no party is left."""
        try:
            _, errors = self.process.communicate(timeout=30)
        finally:
            self.process.kill()
        assert "Traceback" not in errors
        assert all(ended(pid) for pid in self.parties.values())
        return self.process.returncode, errors.splitlines()[-1]


def test_ctrl_c_during_latency_leaves_no_orphan(model_file: Path) -> None:
    measuring = Measuring(model_file)
    measuring.process.send_signal(signal.SIGINT)
    assert measuring.end() == (130, "error: interrupted")


@pytest.mark.parametrize("party", ["client", "server"])
def test_killed_party_during_latency(model_file: Path, party: str) -> None:
    measuring = Measuring(model_file)
    os.kill(measuring.parties[party], signal.SIGKILL)
    code, error = measuring.end()
    assert code == 5
    assert f"the {party} process was killed (SIGKILL)" in error


@pytest.mark.parametrize("party", ["client", "server"])
def test_frozen_party_during_latency(model_file: Path, party: str) -> None:
    measuring = Measuring(model_file, "--timeout", "1")
    os.kill(measuring.parties[party], signal.SIGSTOP)
    code, error = measuring.end()
    assert code == 5
    # The second where the other party had finished and waited for the launcher only.
    assert "no data from the other party for" in error or "was not ready within 1 s" in error


def test_ctrl_c_while_waiting_for_a_server(input_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = "{}:{}".format(*silent.getsockname())
        process = subprocess.Popen(
            [*PI_BENCH, "infer", "--connect", where, "--input", str(input_file)],
            stderr=subprocess.PIPE,
            text=True,
        )
        with silent.accept()[0] as connection:
            connection.recv(1)  # it has greeted and waits for an offer
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "error: interrupted\n"
