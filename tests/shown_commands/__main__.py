"""Runs the commands of all documents, or of those named: `python -m tests.shown_commands [DOCUMENT ...]`.

Each document has a folder of its own in build/shown-commands, which stays until the next run. `--from
README.md` runs that document and those after it. `--from README.md:184` begins with the command in that line,
in the folder that the last run has left. Prints at the end what ran in each document, why the others did not,
and the output of commands that failed. Ends with 1 if there are any.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.shown_commands.collection import DOCUMENTS, ROOT, Command, all_commands, commands_from
from tests.shown_commands.exceptions import exception_of
from tests.shown_commands.runs import Outcome, run_document
from tests.shown_commands.summary import summary
from tests.shown_commands.workspace import make_workspace


def main(words: Sequence[str]) -> int:
    arguments = _parser().parse_args(words)
    commands = all_commands()
    try:
        if unknown := set(arguments.documents) - set(DOCUMENTS):
            raise ValueError(f"no document {sorted(unknown)[0]!r}; there are {', '.join(DOCUMENTS)}")
        wanted = [each for each in commands if each.document in (arguments.documents or DOCUMENTS)]
        if arguments.start:
            wanted = commands_from(wanted, arguments.start)
        start = time.monotonic()
        template = _template(arguments.folder, keep=arguments.start is not None)
        print(f"the files of the documents are there after {time.monotonic() - start:.0f} s", flush=True)
        outcomes = []
        for document in dict.fromkeys(each.document for each in wanted):
            folder = arguments.folder / document.replace("/", "-")
            continued = arguments.start is not None and arguments.start.startswith(f"{document}:")
            outcomes += _run(document, wanted, template, folder, continued=continued)
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(summary(wanted, outcomes, time.monotonic() - start))
    return 1 if any(each.exit_code for each in outcomes) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.shown_commands", description="Runs the commands that the documents show."
    )
    parser.add_argument("documents", nargs="*", metavar="DOCUMENT", help="default: all documents")
    parser.add_argument("--from", dest="start", metavar="PLACE", help="begin with DOCUMENT or DOCUMENT:LINE")
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / "build" / "shown-commands",
        help="folder to run in (default: build/shown-commands)",
    )
    return parser


def _template(folder: Path, *, keep: bool) -> Path:
    """Returns the files that each document begins with, and makes them unless the last run's are kept."""
    template = folder / "workspace"
    if not keep or not template.exists():
        shutil.rmtree(folder, ignore_errors=True)
        unfinished = folder / "unfinished"
        make_workspace(unfinished)
        unfinished.rename(template)
    return template


def _run(
    document: str, wanted: Sequence[Command], template: Path, folder: Path, *, continued: bool
) -> list[Outcome]:
    """Runs the commands of one document and prints one line for each."""
    if not continued:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
    elif not folder.exists():
        raise ValueError(f"no earlier run has left a folder of {document}: begin with --from {document}")
    run = [each for each in wanted if each.document == document and exception_of(each.shown) is None]
    outcomes = []
    for outcome in run_document(run, folder):
        outcomes.append(outcome)
        mark = "FAILED" if outcome.exit_code else "ok    "
        place, text = outcome.command.place, outcome.command.tested
        print(f"{mark} {outcome.seconds:6.1f} s  {place}: {text}", flush=True)
        if outcome.exit_code:
            print(f"       {(outcome.output.splitlines() or ['(no output)'])[-1]}", flush=True)
    return outcomes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
