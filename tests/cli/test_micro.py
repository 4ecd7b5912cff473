"""`pi-bench micro`: its output, and one line for whatever the user got wrong."""

import json
import os
import subprocess
import sys

import pytest

from pi_bench.cli import main


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "pi_bench", "micro", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables})


def test_json_of_two_primitives() -> None:
    done = run("aes", "truncate", "--json", "-", "--count", "64", "--threads", "1", "--repetitions", "1")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert (result["count"], result["threads"], result["repetitions"]) == (64, [1], 1)
    assert {row["primitive"] for row in result["results"]} == {"aes", "truncate"}


def test_the_instruction_set_is_the_variables() -> None:
    done = run(
        *("aes", "--json", "-", "--count", "32", "--threads", "1", "--repetitions", "1"), PI_BENCH_ISA="aesni"
    )
    assert json.loads(done.stdout)["environment"]["instruction_set"] == "aesni"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sha"], "there is no primitive 'sha'; there are aes, prg,"),
        (["aes", "--threads", "0"], "--threads: '0' is not a whole number from 1"),
        (["aes", "--threads", "1,x"], "--threads: 'x' is not a whole number from 1"),
        (["aes", "--count", "0"], "--count: '0' is not a whole number from 1"),
        (["aes", "--repetitions", "-1"], "--repetitions: '-1' is not a whole number from 1"),
    ],
)
def test_bad_arguments_are_named(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["micro", *arguments])
    except SystemExit as exit:
        code = exit.code
    assert code == 2
    assert words in capsys.readouterr().err
