"""`pi-bench latency --like RESULT.json`: takes the options of an earlier measurement."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pi_bench.errors import InputError, UsageError

FLAG = "--like"
_FILES = ("model", "input", "costs", "measure_costs", "expect_logits", "like")


def add_like(parser: argparse._ActionsContainer) -> None:
    """Adds ``--like``, which `expanded` replaces before the command line is parsed.

    >>> parser = argparse.ArgumentParser()
    >>> add_like(parser)
    >>> parser.parse_args([]).like is None
    True
    """
    parser.add_argument(
        FLAG,
        metavar="RESULT",
        help="measure again with the options of this result of --json or kept run; options beside it "
        "count more",
    )


def expanded(words: Sequence[str], make_parser: Callable[[], argparse.ArgumentParser]) -> list[str]:
    """Returns the words of a command line with the options of the result that ``--like`` names.

    They come before the other words, which therefore override them. Words without ``--like`` are unchanged.

    Raises:
        UsageError: the input file of the result is not given anew.
        InputError: the file holds no result of `pi-bench latency`, or one of a newer version.

    >>> expanded(["latency", "model.pt"], argparse.ArgumentParser)
    ['latency', 'model.pt']
    """
    name = _named(words)
    if name is None or words[0] != "latency":
        return list(words)
    from pi_bench.history.facts import kind_of, require_version

    document = _document(name)
    if kind_of(document) != "latency":
        raise InputError(f"{name} holds no result of `pi-bench latency`")
    try:
        require_version(document, older=True)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    arguments, protocol = document.get("arguments"), document["protocol"]
    if not isinstance(arguments, Mapping) or not isinstance(protocol, str):
        raise InputError(f"{name} does not say with which options it was measured; measure it again")
    if arguments.get("input") is not None and "--input" not in words:
        raise UsageError(f"{name} has the input {arguments['input']}; give it with --input FILE.npy")
    options = _words(make_parser(), {**arguments, "protocol": protocol})
    return [words[0], *options, *words[1:]]


def _document(name: str) -> Any:
    """Reads a result from a file of ``--json``, or a run of the user's history."""
    from pi_bench.history import History, default_path
    from pi_bench.history.result_files import read_file

    history = default_path()
    if Path(name).exists() or "/" in name or "." in name or history is None:
        found = read_file(Path(name))
        if len(found) != 1:
            raise InputError(f"{name} holds {len(found):,} results; one is measured again")
        return found[0][0]
    with History(history, create=False) as opened:
        return opened.document(opened.find(name, "latency", neither=("a file",)).id)


def _named(words: Sequence[str]) -> str | None:
    scanner = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    scanner.add_argument(FLAG)
    try:
        return scanner.parse_known_args(list(words))[0].like  # type: ignore[no-any-return]
    except argparse.ArgumentError:  # no name follows: reported when all is parsed
        return None


def _words(parser: argparse.ArgumentParser, fields: Mapping[str, Any]) -> list[str]:
    """Returns the flags that give these values, for those that differ from the default."""
    from pi_bench.measurement_options.option import declarations
    from pi_bench.measurement_options.table import MeasurementOptions

    known = declarations(MeasurementOptions).values()
    given_anew = {*_FILES, *(option.key for option in known if not option.repeated)}
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    command = commands.choices["latency"]
    command.complete(["--protocol", str(fields["protocol"])])
    found: list[str] = []
    for action in command._actions:
        value = fields.get(action.dest)
        skipped = action.dest in given_anew or not action.option_strings
        if skipped or value is None or value is False or value == action.default:
            continue
        found.append(action.option_strings[0] if len(action.option_strings) == 1 else _long(action))
        if value is not True:
            found.append(_text(action.dest, value))
    return found


def _long(action: argparse.Action) -> str:
    return next(flag for flag in action.option_strings if flag.startswith("--"))


def _text(name: str, value: Any) -> str:
    if isinstance(value, Mapping):  # a link
        return str(value["name"])
    if name == "precision":
        return f"{100 * value:.10g}%"
    return str(value)
