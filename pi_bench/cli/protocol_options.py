"""Options of protocols: the protocol that runs, its mode, and the options that it declares."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pi_bench.cli.arguments import Parser
from pi_bench.errors import UsageError

if TYPE_CHECKING:
    from pi_bench.protocol import Option, ProtocolInfo, ProtocolOptions


def add_protocol(parser: Parser) -> None:
    """Adds ``--protocol``, ``--mode`` and the options of the protocol that the command line names.

    Nothing of a protocol is imported until the command line is parsed.

    >>> parser = Parser(prog="pi-bench")
    >>> add_protocol(parser)
    >>> parser.parse_args([]).protocol is None  # the default protocol
    True
    """
    group = parser.add_argument_group("protocol")
    protocol = group.add_argument("--protocol", metavar="NAME")
    mode = group.add_argument("--mode", metavar="MODE")

    def complete(arguments: Sequence[str]) -> None:
        from pi_bench.registry import default_protocol, find_protocol

        name = _named(arguments)
        info = default_protocol() if name is None else find_protocol(name)
        for option in info.options:
            _add_option(group, info, option)
        parser.unknown_text = f" with protocol {info.name}"
        if {"-h", "--help"} & set(arguments):
            protocol.help, mode.help = map(_escaped, (_protocol_help(info), _mode_help(info)))

    parser.complete = complete


def add_protocols(parser: Parser) -> None:
    """Adds ``--protocol`` with several names, ``--mode``, and the options of all the protocols named.

    >>> parser = Parser(prog="pi-bench")
    >>> add_protocols(parser)
    >>> parser.parse_args(["--protocol", "ideal,null"]).protocol
    ('ideal', 'null')
    """
    group = parser.add_argument_group("protocol")
    group.add_argument(
        "--protocol",
        type=_names,
        metavar="NAME[,NAME]",
        help="the protocols that run, each a side of its own; the options below are theirs",
    )
    group.add_argument("--mode", metavar="MODE", help="the mode of every protocol (default: its own)")

    def complete(arguments: Sequence[str]) -> None:
        from pi_bench.registry import default_protocol, find_protocol

        given = _named(arguments)
        infos = [default_protocol()] if given is None else [find_protocol(name) for name in _names(given)]
        known: set[str] = set()
        for info in infos:
            for option in info.options:
                if option.flag not in known:
                    known.add(option.flag)
                    _add_option(group, info, option)

    parser.complete = complete


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split(",")))


def protocol_of(parsed: argparse.Namespace, threads: int = 1) -> tuple[ProtocolInfo, ProtocolOptions]:
    """Returns the protocol and the options that the user asked for.

    Raises:
        UsageError: there is no such protocol or mode, or an option is missing or does not go with the mode.

    >>> parser = Parser(prog="pi-bench")
    >>> add_protocol(parser)
    >>> info, options = protocol_of(parser.parse_args([]), threads=2)
    >>> options.threads
    2
    """
    from pi_bench.launch.weight_cache import weight_cache_bytes
    from pi_bench.registry import default_protocol, find_protocol

    info = default_protocol() if parsed.protocol is None else find_protocol(parsed.protocol)
    asked_mb = getattr(parsed, "weight_cache", 0)
    cache_bytes = weight_cache_bytes(None if asked_mb is None else 1_000_000 * asked_mb)
    given = given_options(parsed)
    ahead = getattr(parsed, "ahead", 1)
    return info, info.configure(
        parsed.mode, given, threads=threads, weight_cache_bytes=cache_bytes, ahead=ahead
    )


def given_options(parsed: argparse.Namespace) -> dict[str, Any]:
    """Returns the protocol's own options that the user gave, by name.

    >>> parser = Parser(prog="pi-bench")
    >>> add_protocol(parser)
    >>> given_options(parser.parse_args([]))
    {}
    """
    from pi_bench.registry import default_protocol, find_protocol

    info = default_protocol() if parsed.protocol is None else find_protocol(parsed.protocol)
    found = {option.name: getattr(parsed, _destination(option), None) for option in info.options}
    return {name: value for name, value in found.items() if value is not None}


def _named(arguments: Sequence[str]) -> str | None:
    """Finds the protocol's name in arguments that are parsed completely later."""
    scanner = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    scanner.add_argument("--protocol")
    try:
        return scanner.parse_known_args(arguments)[0].protocol  # type: ignore[no-any-return]
    except argparse.ArgumentError:  # no name follows: reported when all is parsed
        return None


def _add_option(group: argparse._ArgumentGroup, info: ProtocolInfo, option: Option[Any]) -> None:
    modes = f"; needed in mode {' and '.join(option.modes or info.mode_names)}"
    words = modes if option.default is None else f" (default {option.default})"
    try:
        group.add_argument(
            option.flag,
            dest=_destination(option),
            type=_parse(option),
            metavar=option.metavar,
            help=_escaped(option.help + words),
        )
    except argparse.ArgumentError:
        raise UsageError(
            f"protocol {info.name} has an option {option.flag}, and so has this command; rename it there"
        ) from None


def _parse(option: Option[Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return option.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def _destination(option: Option[Any]) -> str:
    return f"protocol_{option.name}"


def _protocol_help(info: ProtocolInfo) -> str:
    from pi_bench.registry import default_protocol, loadable_protocols

    default = default_protocol().name
    titles = ", ".join(
        f"{known.title} (default)" if known.name == default else known.title for known in loadable_protocols()
    )
    return f"the protocol that runs: {titles}; the options below are those of {info.name}"


def _mode_help(info: ProtocolInfo) -> str:
    return "; ".join(f"{mode.name}: {mode.help}" for mode in info.modes) + f" (default {info.modes[0].name})"


def _escaped(words: str) -> str:
    return words.replace("%", "%%")  # argparse formats help texts
