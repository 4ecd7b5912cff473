"""The exit code means the same in every command, and no failure hides another."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_bench.cli import main
from pi_bench.cli.help import exit_code_lines
from pi_bench.errors import (
    EXIT_CELLS,
    EXIT_CODES,
    EXIT_INTERRUPTED,
    EXIT_SLOWER,
    EXIT_TERMINATED,
    OutputError,
    PiBenchError,
    VerificationError,
    reason,
)
from pi_bench.launch.verification import RunVerifier

RECIPE = "resnet18-cifar100-12288"
COMMANDS = (
    "export",
    "train",
    "reduce",
    "inspect",
    "latency",
    "compare",
    "accuracy",
    "serve",
    "infer",
    "micro",
    "history",
    "report",
    "regress",
    "schema",
    "completion",
)


@pytest.mark.parametrize(
    "command",
    [
        f"export --recipe {RECIPE} -o FILE",
        "export --list --json FILE",
        "inspect MODEL --json FILE",
        "latency MODEL --json FILE",
        "latency MODEL --output FILE",
        "accuracy MODEL --data x.npy --json FILE",
        "micro prg --json FILE",
        "infer --connect 127.0.0.1:1 --input x.npy --output FILE",
        f"train --recipe {RECIPE} -o FILE/folder",
        "reduce frontier --no-plot -o FILE/folder x",
    ],
)
def test_an_output_that_cannot_be_written_is_2(
    command: str, model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("old")  # a file, where a folder would have to be
    words = command.replace("MODEL", str(model_file)).replace("FILE", str(tmp_path / "taken" / "file"))
    assert main(words.split()) == 2
    assert re.search(r"error: cannot (write|use) .*taken/", capsys.readouterr().err)
    assert (tmp_path / "taken").read_text() == "old"


@pytest.mark.parametrize("files", [["--json"], ["--output"], ["--json", "--output"]])
def test_a_lost_file_does_not_hide_a_failed_verification(
    files: list[str], model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verify = RunVerifier.verify

    def failing(self: RunVerifier, *arguments: Any) -> Any:
        return dataclasses.replace(verify(self, *arguments), failures=("layer 'stem' is off by 7",))

    monkeypatch.setattr(RunVerifier, "verify", failing)
    lost = [word for flag in files for word in (flag, "/dev/full")]
    assert main(["latency", str(model_file), "--protocol", "ideal", "--runs", "1", *lost]) == 1
    said = capsys.readouterr()
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: verification failed: layer 'stem' is off by 7",
        *["error: cannot write /dev/full: No space left on device"] * len(files),
    ]
    assert "verification FAILED" in said.out


@pytest.mark.parametrize("command", ["", *COMMANDS, "reduce snl"])
def test_every_help_lists_the_exit_codes(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "82")  # argparse leaves two of them
    with pytest.raises(SystemExit) as leaving:
        main([*command.split(), "--help"])
    assert leaving.value.code == 0
    assert capsys.readouterr().out.endswith(exit_code_lines(80))


def test_the_listed_codes_are_those_of_the_errors() -> None:
    def codes(kind: type[PiBenchError]) -> set[int]:
        return {kind.exit_code}.union(*map(codes, kind.__subclasses__()))

    assert set(EXIT_CODES) == codes(PiBenchError) | {
        0,
        EXIT_SLOWER,
        EXIT_CELLS,
        EXIT_INTERRUPTED,
        EXIT_TERMINATED,
    }
    assert (VerificationError.exit_code, OutputError.exit_code) == (1, 2)


def test_a_reason_is_in_words() -> None:
    made: list[Exception] = []
    for cause in (
        lambda: Path("/no/such/file").read_bytes(),
        lambda: int("x"),
        lambda: {}["recipe"],
        lambda: np.float64("1,5"),
        lambda: b"\xff".decode(),
    ):
        with pytest.raises((OSError, ValueError, KeyError)) as caught:
            cause()  # type: ignore[no-untyped-call]
        made.append(caught.value)
    assert [reason(error) for error in made] == [
        "No such file or directory",
        "a value in it has the wrong form",
        "it lacks 'recipe'",
        "a value in it has the wrong form",
        "it is not UTF-8 text",
    ]
