"""`pi-bench latency --connect` with `pi-bench serve --measure`, at two loopback addresses."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pi_bench.cli import main
from pi_bench.history import History
from pi_bench.report.documents.latency import Result
from pi_bench.report.two_machines import unseen_layers_lines
from tests.schemas import require_valid
from tests.trace_law import require_lawful

PI_BENCH = [sys.executable, "-m", "pi_bench"]


class Serving:
    """A `pi-bench serve` at the second loopback address that has said where it listens."""

    def __init__(self, model_file: Path, *flags: str) -> None:
        self.process = subprocess.Popen(
            [*PI_BENCH, "serve", str(model_file), "--listen", "127.0.0.2:0", "--threads", "1", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.address = self.line().split(" at ")[1].split(",")[0]

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def line_with(self, words: str) -> str:
        """The next line that has these words; fails at the end of the output."""
        while words not in (line := self.line()):
            assert line, f"the server ended without a line with {words!r}"
        return line


@pytest.fixture
def serving(model_file: Path) -> Iterator[Callable[..., Serving]]:
    started: list[Serving] = []

    def start(*flags: str) -> Serving:
        started.append(Serving(model_file, *flags))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.communicate()


def command(address: str, *flags: str) -> list[str]:
    return [*PI_BENCH, "latency", "--connect", address, "--threads", "1", "--warmup", "1", *flags]


def latency(address: str, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """From an empty folder: the client finds no model there."""
    return subprocess.run(
        command(address, *flags), cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def error_of(run: subprocess.CompletedProcess[str]) -> str:
    """The line of the error, which is the only one."""
    (line,) = (line for line in run.stderr.splitlines() if line.startswith("error: "))
    assert "Traceback" not in run.stderr
    return line


def test_the_result_is_that_of_one_machine_with_a_real_link(
    serving: Callable[..., Serving], model_file: Path, tmp_path: Path, history_of_tests: Path
) -> None:
    """With two inferences per offline phase at both."""
    here, there, logits = (tmp_path / name for name in ("here.json", "there.json", "logits.npy"))
    flags, ahead = ("--protocol", "delphi", "--mode", "exact"), ("--ahead", "2")
    local = [*PI_BENCH, "latency", str(model_file), *flags, *ahead, "--runs", "2", "--threads", "1"]
    made = subprocess.run(
        [*local, "--json", str(here), "--output", str(logits)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    server = serving("--measure", *flags, *ahead)
    run = latency(
        server.address,
        tmp_path,
        *("--runs", "3", "--json", str(there), "--expect-logits", str(logits), *flags),
    )
    assert run.returncode == 0, run.stderr
    one, two = (json.loads(path.read_text()) for path in (here, there))
    require_valid(two, "result")
    for name in ("network", "online", "offline", "setup"):
        assert set(one[name]) == set(two[name])
    for phase in ("online", "offline", "setup"):
        assert one[phase]["bytes"] == two[phase]["bytes"]
    assert one["offline"]["ahead"] == two["offline"]["ahead"] == 2
    assert two["online"]["comm_round_count"] == one["online"]["comm_round_count"]
    assert [layer["name"] for layer in two["online"]["layers"]] == [
        layer["name"] for layer in one["online"]["layers"]
    ]
    # The server's own records have arrived: its times by layer, its CPU time, its memory.
    assert sum(layer["server"]["compute_s"] for layer in two["online"]["layers"]) > 0
    assert two["cpu_time_by_phase_s"]["server"]["set_up"] > 0
    assert two["storage_bytes"] == one["storage_bytes"]
    assert two["link"]["kind"] == "real" and 0 < two["link"]["measured"]["rtt_s"] < 0.1
    assert two["server_environment"]["cpu_model"] == one["environment"]["cpu_model"]
    assert two["verification"] is None and "reveal its weights" in two["unverified_reason"]
    assert two["expected_logits"] == {
        "file": "logits.npy",
        "tolerance": 0.0,
        "passed": True,
        "max_error": 0.0,
        "compared_run_count": 3,
    }
    for words in (
        "real link between two machines, 1 thread at the client and 1 at the server",
        "the link as probed: round trip",
        "server on ",
        "not verified: a verification needs the server's shares",
        "the logits of 3 runs agree with logits.npy",
    ):
        assert words in run.stdout
    # Whether the client has a time for every layer of so small a network depends on the machine.
    unseen = unseen_layers_lines(msgspec.convert(two, Result))
    assert ("A layer without a time" in run.stdout) == bool(unseen)
    kept = re.search(r"kept as run (\d+)", run.stdout)
    assert kept is not None
    with History(history_of_tests) as history:
        assert history.document(int(kept[1]))["server_environment"] == two["server_environment"]
    assert "left after 4 inferences" in server.line_with("left after")


def test_a_trace_has_both_machines_on_one_clock(
    serving: Callable[..., Serving], model_file: Path, tmp_path: Path
) -> None:
    server = serving("--measure", "--protocol", "delphi")
    run = latency(server.address, tmp_path, "--runs", "1", "--trace", "trace.json", "--json", "result.json")
    assert run.returncode == 0, run.stderr
    result, trace = (json.loads((tmp_path / name).read_text()) for name in ("result.json", "trace.json"))
    require_lawful(trace)
    traced = result["trace"]
    assert result["runs"] == 1 and result["server_environment"] is not None
    # Both addresses are of this machine, whose clock is one, so its offset is known: it is none.
    assert abs(traced["clock_offset_s"]) <= traced["clock_uncertainty_s"] < 0.1
    assert traced["offline"]["message_count"] > 0 < traced["online"]["message_count"]
    assert "are on the client's clock within" in run.stdout


def test_shares_verify_a_run_only_where_both_parties_say_insecure(
    serving: Callable[..., Serving], model_file: Path, tmp_path: Path
) -> None:
    flags = (str(model_file), "--runs", "2")
    agreeing = serving("--measure", "--insecure-verify")
    run = latency(agreeing.address, tmp_path, *flags, "--insecure-verify", "--json", "both.json")
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / "both.json").read_text())
    assert result["verification"]["passed"] and result["verification"]["verified_run_count"] == 2
    assert result["verification"]["compared_count"] > 2 * result["network"]["relu_count"]
    assert any(warning.startswith("INSECURE: the server gave") for warning in result["warnings"])
    run = latency(agreeing.address, tmp_path, *flags, "--json", "one.json")
    assert run.returncode == 0 and json.loads((tmp_path / "one.json").read_text())["verification"] is None
    refusing = serving("--measure")
    run = latency(refusing.address, tmp_path, *flags, "--insecure-verify")
    assert run.returncode == 6
    assert "only if it was started with --insecure-verify too" in error_of(run)


def test_a_client_that_measures_bounds_the_inferences_of_an_offline_phase(
    serving: Callable[..., Serving], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serving("--measure", "--protocol", "ideal", "--ahead", "3")
    assert main(command(server.address, "--runs", "1", "--max-ahead", "3")[3:]) == 0
    assert main(command(server.address, "--runs", "1", "--max-ahead", "2")[3:]) == 6
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
    assert "prepares 3 inferences per offline phase (--ahead), and the client accepts at most 2" in line


def test_what_does_not_fit_is_one_line(
    serving: Callable[..., Serving],
    model_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "wrong.npy", np.ones((1, 3)))
    np.save(tmp_path / "shape.npy", np.ones((1, 4)))
    np.save(tmp_path / "text.npy", np.array(["cat"]))
    np.save(tmp_path / "infinite.npy", np.full((1, 3), np.inf))
    server = serving("--measure", "--protocol", "ideal", "--mode", "exact")
    for flags, code, words in (
        (("--expect-logits", "wrong.npy"), 1, "the answer is not the expected one: the logits differ from"),
        (
            ("--expect-logits", "shape.npy"),
            4,
            "shape.npy has the shape (1, 4), the output of the network has",
        ),
        (("--expect-logits", "text.npy"), 4, "an array of real numbers"),
        (("--expect-logits", "infinite.npy"), 4, "a number that is not finite"),
        (("--expect-digest", "0" * 16), 6, "network digest: the client expects 0000"),
        ((str(model_file), "--weight-bits", "5"), 6, "network digest: the client expects"),
        (("--protocol", "delphi"), 6, "protocol: the client insists on delphi, the server offers ideal"),
        (("--protocol", "ideal", "--mode", "windowed"), 6, "mode: the client insists on windowed"),
        (("--input", "shape.npy"), 4, "the input has shape (1, 4)"),
    ):
        found = main(command(server.address, "--runs", "1", *flags)[3:])
        (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
        assert (found, words in line) == (code, True), line
    silent = serving("--protocol", "ideal")
    assert main(command(silent.address, "--runs", "1")[3:]) == 6
    told = f"error: the server at {silent.address} ended the session: this server does not answer"
    error = capsys.readouterr().err
    assert told in error and "start it with `pi-bench serve --measure`" in error


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--connect", "a:1", "--link", "lan"], "--connect measures over the real one"),
        (["--connect", "a:1", "--explain"], "predict for one machine"),
        (["--connect", "a:1", "--weight-cache", "5"], "give it to `pi-bench serve`"),
        (["--connect", "a:1", "--weight-bits", "8"], "--weight-bits chooses a program for a model file"),
        (["--connect", "a:1", "--insecure-verify"], "compares with the weights in the model file"),
        (["--connect", "a:1", "--logits-tolerance", "1"], "needs the logits to compare with"),
        (["--connect", "nowhere"], "is not an address"),
        (["model.pt", "--expect-logits", "y.npy"], "go with --connect"),
        ([], "give a model file, or the address of a server"),
    ],
)
def test_flags_that_contradict_each_other(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["latency", *flags]) == 2
    assert words in capsys.readouterr().err


class Measuring:
    """A client that measures for long, and has finished a timed run."""

    def __init__(self, server: Serving, folder: Path, *flags: str) -> None:
        self.process = subprocess.Popen(
            command(server.address, "--runs", "1500", "-v", "--json", "result.json", *flags),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.file = folder / "result.json"
        assert self.process.stderr is not None
        while " run: offline" not in (line := self.process.stderr.readline()):
            assert line, "the client ended before its first timed run"

    def end(self) -> tuple[int, str, dict[str, Any]]:
        """Exit code, the line of the error, and the result."""
        _, errors = self.process.communicate(timeout=60)
        assert "Traceback" not in errors
        (line,) = (line for line in errors.splitlines() if line.startswith("error: "))
        return self.process.returncode, line, json.loads(self.file.read_text())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_server_that_ends_leaves_the_finished_runs(
    number: signal.Signals, serving: Callable[..., Serving], tmp_path: Path
) -> None:
    server = serving("--measure", "--protocol", "ideal")
    client = Measuring(server, tmp_path)
    server.process.send_signal(number)
    code, error, result = client.end()
    assert code == 5
    assert re.search(r"error: the server at 127\.0\.0\.2:\d+ .*; the result holds [\d,]+ finished run", error)
    assert result["interrupted"] and 1 <= result["runs"] < 1500
    assert result["runs"] == len(result["online"]["latency_s"]["samples"])
    if number == signal.SIGINT:
        assert server.process.wait(10) == 130


def test_a_client_that_ends_leaves_its_runs_and_the_server(
    serving: Callable[..., Serving], tmp_path: Path
) -> None:
    server = serving("--measure", "--protocol", "ideal")
    client = Measuring(server, tmp_path)
    # Meanwhile the server is busy with it.
    second = latency(server.address, tmp_path, "--timeout", "2")
    assert second.returncode == 5
    assert "waiting up to 2 s for the server: it may be busy" in second.stderr
    error_of(second)
    client.process.send_signal(signal.SIGINT)
    code, error, result = client.end()
    assert code == 130 and "interrupted after" in error
    assert result["interrupted"] and 1 <= result["runs"] < 1500
    assert server.line_with(" lost: ")
    assert latency(server.address, tmp_path, "--runs", "1").returncode == 0
