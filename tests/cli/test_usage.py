"""The command line itself: its answers to nothing, too much and half a flag; and no home."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from pi_bench.cli import main
from pi_bench.prediction.costs_file import cached_path
from pi_bench.report.documents import DOCUMENTS


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    return capsys.readouterr().err


def test_no_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "exit codes:" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["inspect", "latency", "accuracy --data digits"])
def test_two_models_are_one_too_many(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "b.pt is one model too many" in refusal(capsys, *command.split(), "a.pt", "b.pt")


@pytest.mark.parametrize(
    "command",
    ["export --list --js x", "inspect a.pt --thread 1", "latency a.pt --warm 1", "micro --repet 1"],
)
def test_half_a_flag_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no --" in refusal(capsys, *command.split())


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            "latency MODEL --protocol ideal --runs 1 --warmup 0 --link 1Gbit,1ms --threads 1 --seed 7",
            {
                "runs": 1,
                "warmup": 0,
                "threads": 1,
                "seed": 7,
                "model": "model.pt",
                "fuse": None,
            },
        ),
        ("inspect MODEL --weight-bits 8 --scales per-tensor", {"weight_bits": 8, "scales": "per-tensor"}),
    ],
)
def test_a_result_holds_the_options_of_a_repetition(
    command: str, options: dict[str, object], model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main([*command.replace("MODEL", str(model_file)).split(), "--json", "-"]) == 0
    arguments = json.loads(capsys.readouterr().out)["arguments"]
    assert arguments.items() >= options.items()
    assert str(model_file.parent) not in str(arguments)
    if "--link" in command:
        assert arguments["link"]["rtt_s"] == 0.001


def test_every_schema_is_printed_and_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    titles = {}
    for kind in DOCUMENTS:
        capsys.readouterr()
        assert main(["schema", kind]) == 0
        schema = json.loads(capsys.readouterr().out)
        jsonschema.Draft202012Validator.check_schema(schema)
        titles[kind] = schema["title"]
    assert (
        titles["accuracy"] == "Result of pi-bench accuracy" and titles["micro"] == "Result of pi-bench micro"
    )


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert cached_path({}, 1) is None


@pytest.mark.parametrize(
    "command",
    [
        "export --list",
        "inspect MODEL",
        "latency MODEL --protocol ideal --runs 1 --warmup 0",
    ],
)
def test_json_is_a_file_or_standard_output_in_every_command(
    command: str, model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command.replace("MODEL", str(model_file)).split()
    capsys.readouterr()
    assert main([*arguments, "--json", str(tmp_path / "result.json")]) == 0
    words = capsys.readouterr().out
    assert main([*arguments, "--json", "-"]) == 0
    assert type(json.loads(capsys.readouterr().out)) is type(
        json.loads((tmp_path / "result.json").read_text())
    )
    with pytest.raises(ValueError):
        json.loads(words)
    assert not Path("-").exists()


@pytest.mark.parametrize(
    ("command", "wrong", "meant"),
    [
        ("latencey MODEL", "command 'latencey'", "latency"),
        ("inspect MODEL --scales per-chanel", "--scales cannot be 'per-chanel'", "per-channel"),
        ("latency MODEL --warm 1", "--warm", "--warmup"),
        ("latency MODEL --protocol dephi", "protocol 'dephi'", "delphi"),
        ("latency MODEL --protocol nul:delphi", "protocol 'nul'", "null"),
        ("latency MODEL --protocol ideal --mode windowd", "mode 'windowd'", "windowed"),
        ("latency MODEL --link wam", "link 'wam'", "wan"),
        ("export --recipe resnet18-cifar-12288 -o m.pt", "recipe 'resnet18-cifar", "resnet18-cifar100-12288"),
        ("export --module json:loud --input-shape 4 -o m.pt", "name 'loud'", "load"),
        ("accuracy MODEL --data digit", "data set 'digit'", "digits"),
        ("micro garbel", "primitive 'garbel'", "garble"),
        ("schema results", "schema 'results'", "result"),
        ("completion bsh", "shell 'bsh'", "bash"),
    ],
)
def test_an_unknown_name_is_2_with_a_similar_one(
    command: str, wrong: str, meant: str, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    try:
        code: object = main(command.replace("MODEL", str(model_file)).split())
    except SystemExit as leaving:
        code = leaving.code
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert code == 2
    assert wrong in line and re.search(rf"did you mean (\S+ or )*{meant}[ ?]", line), line
