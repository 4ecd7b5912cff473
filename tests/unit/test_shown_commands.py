"""Every command in the documents is run by a session, or excepted with a reason. Here they are only read."""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib

import pytest

from pi_bench.cli.parser import make_parser
from tests.shown_commands.collection import DOCUMENTS, ROOT, all_commands, blocks, commands
from tests.shown_commands.exceptions import EXCEPTIONS, exception_of
from tests.shown_commands.runs import is_verdict

COMMANDS = all_commands()
RUN = [each for each in COMMANDS if exception_of(each.shown) is None]
STARTS = ("pi-bench", "python", "make", "pytest", "pip", "ip")


def test_each_exception_stands_for_a_command_that_is_shown() -> None:
    assert {exception_of(each.shown) for each in COMMANDS} - {None} == EXCEPTIONS.keys()


def test_a_block_with_commands_is_marked_as_shell() -> None:
    """Otherwise no command of the block is found."""
    for name in DOCUMENTS:
        for block in blocks((ROOT / name).read_text()):
            if block.language in ("", "text"):
                starts = {line.split(" ")[0] for line in block.text.splitlines()}
                assert not starts & {*STARTS, "$"}, f"{name}:{block.line}"


@pytest.mark.parametrize("command", RUN, ids=lambda each: each.place)
def test_a_command_that_is_run_is_accepted(command) -> None:
    """With its substitutions. tests/unit/test_docs.py checks commands and targets as they are shown."""
    taken, _, _ = command.tested.replace("{port}", "7000").partition(" > ")
    program, *arguments = shlex.split(taken)
    assert program in STARTS
    if program == "pi-bench":
        make_parser().parse_args(arguments)
    elif program == "python":
        assert arguments[0] == "-m" and importlib.util.find_spec(arguments[1])


def test_extras_that_are_installed_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    installed = {name for each in COMMANDS for name in re.findall(r"pi-bench\[(\w+)\]", each.shown)}
    assert installed and installed <= extras.keys()


def test_a_substitution_changes_the_commands_of_its_block_alone() -> None:
    comment = "<!-- Tests write `--epochs 12` as `--epochs 1`,\n`a` as `b`. -->\n"
    text = comment + "```sh\nrun a \\\n  --epochs 12  # c\nend\n```\n"
    first, last = commands("page.md", text)
    assert (first.line, first.shown, first.tested) == (4, "run a --epochs 12", "run b --epochs 1")
    assert (last.line, last.tested) == (6, "end")
    (other,) = commands("page.md", text.replace("-->\n", "-->\n\nWords.\n\n").replace("end\n", ""))
    assert other.tested == "run a --epochs 12"


def test_a_substitution_that_fits_no_command_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"page.md:3: no command has \['--runs 5'\]"):
        commands("page.md", "<!-- Tests write `--runs 5` as `--runs 1`. -->\n```sh\nrun --runs 6\n```\n")


def test_output_in_a_console_block_is_no_command() -> None:
    assert [each.shown for each in commands("page.md", "```console\n$ run a\nmake of it\n```\n")] == ["run a"]


def test_a_verdict_of_regress_is_no_failure() -> None:
    regress = "pi-bench regress --baseline release-1"
    assert is_verdict(regress, 10, "error: run is undecided")
    assert not is_verdict(regress, 10, "error: the runs cannot be judged: they differ in link")
    assert not is_verdict(regress, 2, "error: there is no run release-1")
    assert not is_verdict("pi-bench compare a.pt b.pt", 10, "error: b.pt is undecided")
