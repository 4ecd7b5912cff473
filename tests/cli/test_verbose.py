"""`--verbose`: the messages of both parties, with times and without secrets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pi_bench.cli import main

LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} (command|client|server) +(pi_bench[\w.]+): (.+)")


def logged(model: Path, *flags: str) -> list[tuple[str, str, str]]:
    """(process, logger, message) of each line on standard error."""
    command = [
        sys.executable,
        "-m",
        "pi_bench",
        "latency",
        str(model),
        "--runs",
        "1",
        "--warmup",
        "0",
        *flags,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ)
    assert done.returncode == 0
    found = [LINE.fullmatch(line) for line in done.stderr.splitlines()]
    assert all(found), done.stderr
    return [(match[1], match[2], match[3]) for match in found if match]


@pytest.fixture(scope="module")
def every_message(model_file: Path, tiny_input: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> list:
    path = tmp_path_factory.mktemp("input") / "x.npy"
    np.save(path, tiny_input)
    return logged(model_file, "-vv", "--input", str(path))


def test_both_parties_log_their_phases(model_file: Path) -> None:
    lines = logged(model_file, "--verbose")
    for party in ("client", "server"):
        own = [(logger, message) for process, logger, message in lines if process == party]
        assert any(
            logger == "pi_bench.session.handshake" and "delphi, windowed" in said for logger, said in own
        )
        phases = [said.split(" of ")[0] for logger, said in own if logger == "pi_bench.session.session"]
        assert phases == ["set_up", "offline", "online"]
    said = [message for process, _, message in lines if process == "server"]
    assert any(
        re.fullmatch(r"weight cache: holds [\d.]+ of [\d.]+ MB, at most [\d.]+ MB", message)
        for message in said
    )
    said = [message for process, _, message in lines if process == "command"]
    assert any(re.fullmatch(r"run: offline .* s, online .* s, verified", message) for message in said)
    assert not any("bytes" in message and "step" in message for _, _, message in lines)


def test_twice_logs_every_message(every_message: list[tuple[str, str, str]]) -> None:
    def sizes(party: str, verb: str) -> list[int]:
        """Until the online phase ends: the launcher may end the parties before they read later messages."""
        own = [message for process, _, message in every_message if process == party]
        end = next(number for number, message in enumerate(own) if message.startswith("online of inference"))
        found = [re.fullmatch(rf"step -?\d+ .*: {verb} (\d+) bytes", message) for message in own[:end]]
        return [int(match[1]) for match in found if match]

    assert len(sizes("client", "sent")) > 5
    assert sizes("client", "sent") == sizes("server", "received")
    assert sizes("server", "sent") == sizes("client", "received")


def test_no_message_holds_data(every_message: list[tuple[str, str, str]], tiny_input: np.ndarray) -> None:
    """Only numbers that sizes and times have: no long hexadecimal text but the public digest, no arrays."""
    for _, logger, message in every_message:
        digits = re.findall(r"\b[0-9a-f]{12,}\b", message)
        assert not digits or logger == "pi_bench.session.handshake", message
        assert "[" not in message and "array" not in message and "b'" not in message, message


def test_without_the_flag_nothing_is_logged(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["latency", str(model_file), "--protocol", "ideal", "--runs", "1"]
    assert main([*arguments, "-v"]) == 0
    assert "pi_bench.launch" in capsys.readouterr().err
    assert main(arguments) == 0
    assert "pi_bench." not in capsys.readouterr().err
