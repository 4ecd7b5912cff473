"""Every command in the documents is run by a session, or excepted with a reason. Here they are only read."""

from __future__ import annotations

import importlib.util
import re
import shlex
import time
import tomllib
from pathlib import Path

import pytest

from tests.shown_commands import runs
from tests.shown_commands.__main__ import main
from tests.shown_commands.collection import DOCUMENTS, ROOT, all_commands, blocks, commands, commands_from
from tests.shown_commands.exceptions import EXCEPTIONS, exception_of
from tests.shown_commands.runs import Outcome, is_verdict, run_document
from tests.shown_commands.summary import summary

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
def test_a_command_that_is_run_is_accepted(command, parser) -> None:
    """With its substitutions. tests/unit/test_docs.py checks commands and targets as they are shown."""
    taken, _, _ = command.tested.replace("{port}", "7000").partition(" > ")
    program, *arguments = shlex.split(taken)
    assert program in STARTS
    if program == "pi-bench":
        parser.parse_args(arguments)
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


def test_a_run_begins_with_the_document_or_the_command_that_is_named() -> None:
    shown = [*commands("a.md", "```sh\none\ntwo\n```\n"), *commands("b.md", "```sh\nthree\n```\n")]
    assert [each.shown for each in commands_from(shown, "a.md:3")] == ["two", "three"]
    assert [each.shown for each in commands_from(shown, "b.md")] == ["three"]
    with pytest.raises(ValueError, match=r"no command at a.md:4; a.md has them in 2, 3"):
        commands_from(shown, "a.md:4")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["docs/none.md"], "error: no document 'docs/none.md'; there are README.md"),
        (["--from", "README.md:1"], "error: no command at README.md:1; README.md has them in"),
        (["README.md", "--from", "docs/sweeps.md"], "error: no command at docs/sweeps.md; no document"),
    ],
)
def test_a_place_without_a_command_is_one_line(words, message, tmp_path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--folder", str(tmp_path / "new"), *words])
    assert str(ended.value).startswith(message) and "\n" not in str(ended.value)
    assert not (tmp_path / "new").exists()


def test_a_line_of_a_document_that_has_not_run_is_refused(tmp_path) -> None:
    (tmp_path / "workspace").mkdir()
    line = next(each.line for each in COMMANDS if each.document == "README.md")
    with pytest.raises(SystemExit, match=r"no earlier run has left a folder of README.md"):
        main(["--folder", str(tmp_path), "--from", f"README.md:{line}"])


def test_a_command_that_does_not_end_fails_with_what_it_printed_and_leaves_no_process(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(runs, "LIMIT_S", 2)
    text = "```sh\nsleep 600 & echo $!; wait\n```\n"
    (outcome,) = run_document(commands("a.md", text), tmp_path)
    child, *_, last = outcome.output.splitlines()
    assert (outcome.exit_code, last) == (runs.EXIT_LIMIT, "ended after 2 s")
    for _ in range(100):  # a killed process ends when it next gets a core
        if not _runs(child):
            break
        time.sleep(0.1)
    assert not _runs(child)


def _runs(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_summary_counts_what_ran_and_names_what_is_left_out() -> None:
    text = "<!-- Tests write `one` as `1`. -->\n```sh\nrun one\nrun two\nmake test\n```\n"
    shown = commands("a.md", text)
    outcomes = [Outcome(shown[0], 0, 3.0, "fine"), Outcome(shown[1], 2, 4.0, "it broke\n")]
    lines = summary(shown, outcomes, 9.0).splitlines()
    assert lines[1:3] == ["a.md:4: run two", "it broke"]
    assert f"left out: a.md:5: make test: {EXCEPTIONS['make test']}" in lines
    assert lines[-2].split() == ["a.md", "3", "2", "1", "1", "1", "7"]
    assert lines[-1] == "took 9 s in all"
