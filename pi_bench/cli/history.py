"""`pi-bench history`: lists, shows, names, reads and writes the runs that were kept."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.cli import arguments, layer_options
from pi_bench.cli.output import add_json
from pi_bench.report.layer_table import COLUMNS

if TYPE_CHECKING:
    from pi_bench.history import History

_SHOWN = 50
_KINDS = ("latency", "accuracy", "comparison")
_DESCRIPTION = """\
Every run of `pi-bench latency`, `accuracy` and `compare` is kept in a database on this machine. Without a
command, the runs are listed, the newest first.

  pi-bench history --network 'resnet18*' --link lan --since 2026-11-01
  pi-bench history show 12
  pi-bench history tag 12 baseline
  pi-bench history import other-machine/*.json
  pi-bench history export all.jsonl
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. The namespace of each of its commands has ``run``.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["history", "tag", "12", "baseline"]).name
    'baseline'
    """
    parser = subparsers.add_parser("history", description=_DESCRIPTION)
    _add_file(parser)
    _add_selection(parser)
    parser.add_argument(
        "--limit",
        type=arguments.positive_int,
        metavar="N",
        help=f"list at most the newest N runs (default: {_SHOWN} in the table, all in CSV and JSON)",
    )
    parser.add_argument("--csv", metavar="FILE", help="write the list to FILE as CSV; - prints it")
    add_json(parser)
    parser.set_defaults(run=list_runs)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=False)
    show = commands.add_parser("show", help="print a run as it was printed when it was measured")
    _add_run(show)
    layer_options.add_layers(show, COLUMNS)
    add_json(show)
    show.set_defaults(run=show_run)
    tag = commands.add_parser("tag", help="give a run a name, or take it away")
    _add_run(tag)
    tag.add_argument(
        "name", metavar="NAME", nargs="?", help="the name; a name of another run moves to this one"
    )
    tag.add_argument("--remove", action="store_true", help="take the name away: RUN is the name")
    tag.set_defaults(run=tag_run)
    read = commands.add_parser("import", help="read results of this or other machines")
    read.add_argument(
        "files", nargs="+", metavar="FILE", help="a result of --json, or a file of `pi-bench history export`"
    )
    read.set_defaults(run=import_runs)
    write = commands.add_parser("export", help="write all runs, or those selected, to one file")
    write.add_argument("file", metavar="FILE.jsonl", help="one JSON object per line; - prints them")
    _add_selection(write)
    write.set_defaults(run=export_runs)
    for command in (show, tag, read, write):
        _add_file(command, default=argparse.SUPPRESS)


def _add_file(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--history", metavar="FILE", default=default, help="the database (default: that of the user)"
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("which", metavar="RUN", help="a number, a tag, or last for the newest run")
    parser.add_argument(
        "--kind",
        choices=_KINDS,
        default=argparse.SUPPRESS,
        help="last is the newest run of this kind",
    )


def _add_selection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("selection", "patterns may have * and ?")
    for flag, words in (
        ("--network", "name of the network"),
        ("--protocol", "name of the protocol"),
        ("--link", "name of the link; loopback for none"),
        ("--machine", "beginning of the processor's name"),
        ("--commit", "beginning of the commit of pi-bench"),
        ("--kind", "latency, accuracy or comparison"),
        ("--tag", "tag of the run"),
    ):
        group.add_argument(flag, metavar="PATTERN", help=words)
    group.add_argument("--since", metavar="TIME", help="not older than this, such as 2026-11-29")
    group.add_argument("--until", metavar="TIME", help="not newer than this day or time")


def list_runs(parsed: argparse.Namespace) -> int:
    """Lists the selected runs. Returns the exit code.

    Raises:
        UsageError: a name matches no run. The message offers similar ones.
        InputError: the database cannot be used.

    ```python
    from pi_bench.cli import main

    def lan_runs() -> int:
        return main(["history", "--link", "lan", "--json", "-"])
    ```
    """
    from pi_bench.cli.output import STDOUT, deliver, print_text, writable, write_text
    from pi_bench.report.history import list_csv, list_document, render_list

    as_table = STDOUT not in (parsed.csv, parsed.json)
    with _opened(parsed) as history:
        query = _query(parsed, history)
        if parsed.csv is None and parsed.json is None and parsed.limit is None:
            print_text(render_list(history.runs(replace(query, limit=_SHOWN)), history.count(query)))
            return 0
        runs = history.runs(query)
    if parsed.csv is not None:
        writable(parsed.csv, argparse.Namespace(history=str(history.path)))
        write_text(parsed.csv, list_csv(runs))
        if parsed.csv == STDOUT:
            return 0
    shown = runs[:_SHOWN] if parsed.limit is None else runs
    deliver(render_list(shown, len(runs)) if as_table else "", parsed.json, list_document(runs))
    return 0


def show_run(parsed: argparse.Namespace) -> int:
    """Prints one run as its command printed it. Returns the exit code.

    Raises:
        UsageError: there is no such run.
        InputError: the database cannot be used, or another version wrote the result.

    ```python
    from pi_bench.cli import main

    def show_baseline() -> int:
        return main(["history", "show", "baseline"])
    ```
    """
    from pi_bench.cli.output import STDOUT, deliver
    from pi_bench.report.history import render_document, tags_text

    shown = layer_options.shown_of(parsed)
    with _opened(parsed) as history:
        run = history.find(parsed.which, parsed.kind)
        document = history.document(run.id)
    words = "" if parsed.json == STDOUT else f"{tags_text(run)}\n\n{render_document(document, shown)}"
    deliver(words, parsed.json, document)
    return 0


def tag_run(parsed: argparse.Namespace) -> int:
    """Gives a run a name. Returns the exit code.

    Raises:
        UsageError: there is no such run, or the name cannot be a tag.
        InputError: the database cannot be used.

    ```python
    from pi_bench.cli import main

    def make_baseline() -> int:
        return main(["history", "tag", "last", "baseline"])
    ```
    """
    from pi_bench.errors import UsageError

    if parsed.remove == (parsed.name is not None):
        raise UsageError("give RUN and NAME to name a run, or NAME and --remove to take a name away")
    with _opened(parsed) as history:
        if parsed.remove:
            history.untag(parsed.which)
            print(f"no run is tagged {parsed.which} now")
            return 0
        run = history.find(parsed.which, parsed.kind)
        history.tag(run.id, parsed.name)
    print(f"run {run.id} ({run.facts.kind} of {run.facts.network}) is tagged {parsed.name}")
    return 0


def import_runs(parsed: argparse.Namespace) -> int:
    """Reads results of other machines into the database. Returns the exit code.

    A file that holds no result is reported, and the others are read.

    Raises:
        InputError: the database cannot be used.

    ```python
    from pi_bench.cli import main

    def read_results(*files: str) -> int:
        return main(["history", "import", *files])
    ```
    """
    from pi_bench.cli.failures import Failures
    from pi_bench.history.result_files import read_file

    failures, numbers, known = Failures(), [], 0
    with _opened(parsed, create=True) as history:
        before = {run.id for run in history.runs()}
        for name in parsed.files:
            with failures.collected():
                for document, tags in read_file(Path(name)):
                    number = history.add(document)
                    for tag in tags:
                        history.tag(number, tag)
                    known += number in before or number in numbers
                    numbers.append(number)
    new = len(numbers) - known
    there = f", {known:,} {'was' if known == 1 else 'were'} there already" if known else ""
    print(f"{new:,} {'run' if new == 1 else 'runs'} added{there}")
    return failures.report()


def export_runs(parsed: argparse.Namespace) -> int:
    """Writes runs to one file, which ``history import`` reads. Returns the exit code.

    Raises:
        UsageError: a name matches no run.
        InputError: the database cannot be used.
        OutputError: the file cannot be written.

    ```python
    from pi_bench.cli import main

    def write_runs() -> int:
        return main(["history", "export", "all.jsonl", "--since", "2026-11-01"])
    ```
    """
    from pi_bench.cli.output import STDOUT, writable, write_text
    from pi_bench.history.result_files import lines_of

    with _opened(parsed) as history:
        writable(parsed.file, argparse.Namespace(history=str(history.path)))
        runs = history.runs(_query(parsed, history))
        write_text(parsed.file, "".join(lines_of(history, runs)))
    if parsed.file != STDOUT:
        print(f"{len(runs):,} {'run' if len(runs) == 1 else 'runs'} written to {parsed.file}")
    return 0


def _opened(parsed: argparse.Namespace, *, create: bool = False) -> History:
    from pi_bench.errors import UsageError
    from pi_bench.history import History, default_path

    path = default_path() if parsed.history is None else Path(parsed.history)
    if path is None:
        raise UsageError("this user has no history: name a file with --history FILE")
    return History(path, create=create)


def _query(parsed: argparse.Namespace, history: History) -> Any:
    """Makes the query of the flags, and refuses a name that no run has."""
    from pi_bench.errors import UsageError
    from pi_bench.history import Query
    from pi_bench.unknown_name import unknown_name

    names = ("network", "protocol", "link", "machine", "commit", "kind", "tag", "since", "until")
    query = Query(**{name: getattr(parsed, name) for name in names}, limit=getattr(parsed, "limit", None))
    if history.runs(Query(limit=1)):
        for name, column in (
            ("network", "network"),
            ("protocol", "protocol"),
            ("link", "link"),
            ("kind", "kind"),
        ):
            given = getattr(parsed, name)
            if given is not None and not history.runs(Query(**{name: given}, limit=1)):
                listed = "`pi-bench history` lists all runs"
                raise UsageError(
                    unknown_name(f"run with {name}", given, history.names(column), listed=listed)
                )
    return query
