"""The option `--fuse`, with the link for which fusion plans."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pi_bench.errors import UsageError

if TYPE_CHECKING:
    from pi_bench.network.fusion import CostTable

_FLAGS = ("--fuse", "--merge")
_OBJECTIVE = "online"


def add_fuse(group: argparse._ArgumentGroup) -> None:
    """Adds `--fuse`. Its former name `--merge` stays, although `reduce merge` does something else.

    >>> parser = argparse.ArgumentParser()
    >>> add_fuse(parser.add_argument_group())
    >>> parser.parse_args(["--merge", "online:lan"]).fuse
    'online:lan'
    """
    group.add_argument(
        *_FLAGS,
        nargs="?",
        const=_OBJECTIVE,
        type=_objective,
        metavar="online:LINK",
        help="fuse linear operators that have no ReLU between them into one, where this is predicted to save "
        "online time without adding offline bytes; the float network stays the same, the integer "
        "network changes; with a link as for --link, such as online:wan, plan for its round trip and let "
        "offline bytes grow where that saves online time",
    )


def fusion_costs(parsed: argparse.Namespace) -> CostTable | None:
    """Returns the costs by which to fuse, or None if fusion was not asked for.

    >>> fusion_costs(argparse.Namespace(fuse=None)) is None
    True
    >>> fusion_costs(argparse.Namespace(fuse="online:wan")).offline_may_grow
    True
    """
    return None if parsed.fuse is None else costs_of_objective(parsed.fuse)


def costs_of_objective(objective: str, flag: str = _FLAGS[0]) -> CostTable:
    """Returns the costs by which ``online`` or ``online:LINK`` plans.

    Args:
        flag: the option that has the objective, for messages.

    >>> costs_of_objective("online").offline_may_grow
    False

    Raises:
        UsageError: the text is neither, or the link cannot be read.
    """
    from pi_bench.channel.link import Link  # here, because numpy loads with the channel
    from pi_bench.launch.fusion_costs import costs_on

    name, colon, link = objective.partition(":")
    if name != _OBJECTIVE or (colon and not link):
        raise UsageError(
            f"{flag} {objective[:40]!r} is no objective; write online, or online:LINK as in online:wan"
        )
    try:
        return costs_on(Link.parse(link) if link and link != "loopback" else None)
    except UsageError as error:
        raise UsageError(f"{flag} {objective[:40]}: {error}") from None


def with_objectives(arguments: Iterable[str]) -> list[str]:
    """Gives each `--fuse` without an objective its default, so that it takes no argument that follows.

    >>> with_objectives(["latency", "--fuse", "model.pt"])
    ['latency', '--fuse=online', 'model.pt']
    >>> with_objectives(["latency", "model.pt", "--fuse", "online:lan"])
    ['latency', 'model.pt', '--fuse', 'online:lan']
    """
    given = list(arguments)
    following = [*given[1:], ""]
    return [
        f"{word}={_OBJECTIVE}" if word in _FLAGS and next_word.partition(":")[0] != _OBJECTIVE else word
        for word, next_word in zip(given, following, strict=True)
    ]


def _objective(text: str) -> str:
    costs_of_objective(text)
    return text
