"""Runs the commands of all documents, or of those named: `python -m tests.shown_commands [DOCUMENT ...]`.

Each document has a folder of its own. Ends with 1 if a command fails, and prints the output of those.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.shown_commands.collection import DOCUMENTS, all_commands
from tests.shown_commands.exceptions import EXCEPTIONS, exception_of
from tests.shown_commands.runs import Outcome, run_document
from tests.shown_commands.workspace import make_workspace


def main(names: list[str]) -> int:
    if unknown := set(names) - set(DOCUMENTS):
        sys.exit(f"error: no document {sorted(unknown)[0]!r}; there are {', '.join(DOCUMENTS)}")
    start, failed, count = time.monotonic(), [], 0
    wanted = [each for each in all_commands() if each.document in (names or DOCUMENTS)]
    with tempfile.TemporaryDirectory() as name:
        template = Path(name) / "workspace"
        make_workspace(template)
        print(f"made the files of the documents in {time.monotonic() - start:.0f} s", flush=True)
        for document in dict.fromkeys(each.document for each in wanted):
            folder = Path(name) / document.replace("/", "-")
            shutil.copytree(template, folder)
            run = [each for each in wanted if each.document == document and exception_of(each.shown) is None]
            for outcome in run_document(run, folder):
                count += 1
                _print(outcome)
                failed += [outcome] if outcome.exit_code else []
            shutil.rmtree(folder)
    for each in wanted:
        if key := exception_of(each.shown):
            print(f"not run: {each.place}: {each.shown}: {EXCEPTIONS[key]}")
    for outcome in failed:
        print(f"\n{outcome.command.place}: {outcome.command.tested}\n{outcome.output[-3000:]}")
    print(f"{count} commands in {time.monotonic() - start:.0f} s, {len(failed)} failed")
    return 1 if failed else 0


def _print(outcome: Outcome) -> None:
    mark = "ok    " if outcome.exit_code == 0 else "FAILED"
    print(f"{mark} {outcome.seconds:6.1f} s  {outcome.command.place}: {outcome.command.tested}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
