"""The modules that a command loads before it does its work: they are its start-up time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pi_bench.cli.parser import COMMANDS, make_parser

HELP_MODULES = {
    "pi_bench",
    "pi_bench.cli",
    *(
        f"pi_bench.cli.{name}"
        for name in (
            "arguments",
            "failures",
            "fusion_option",
            "help",
            "interruption",
            "like_option",
            "parser",
            "streams",
        )
    ),
    "pi_bench.errors",
    *(f"pi_bench.measurement_options{module}" for module in ("", ".fusion_objective", ".values")),
    "pi_bench.unknown_name",
}
SLOW = {
    "csv",
    "dataclasses",
    "difflib",
    "email",
    "importlib.metadata",
    "inspect",
    "json",
    "logging",
    "tempfile",
}
MOST_MODULES = 75  # besides those of an interpreter that runs nothing


def loaded(code: str) -> set[str]:
    program = f"import sys, contextlib, io\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("words", [["--help"], []])
def test_the_list_of_commands_loads_no_command_and_nothing_slow(words: list[str]) -> None:
    code = (
        "from pi_bench.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    main({words})"
    )
    found = loaded(code) - loaded("")
    assert {name for name in found if name.partition(".")[0] == "pi_bench"} == HELP_MODULES
    assert found & SLOW == set()
    assert len(found) <= MOST_MODULES


def test_the_list_of_commands_is_the_same_with_and_without_their_options() -> None:
    assert make_parser(()).format_help() == make_parser().format_help()
    assert all(f"    {name} " in make_parser(()).format_help() or len(name) > 8 for name in COMMANDS)


def test_a_command_loads_no_other_command() -> None:
    found = loaded("from pi_bench.cli.parser import make_parser\nmake_parser(['schema'])")
    assert "pi_bench.cli.schema" in found and "pi_bench.cli.latency" not in found
