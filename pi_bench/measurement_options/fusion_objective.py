"""The flag ``--fuse``, and its objective with the link for which fusion plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pi_bench.errors import UsageError

if TYPE_CHECKING:
    from pi_bench.network.fusion import CostTable

FLAGS = ("--fuse", "--merge")
"""The former name stays, although `reduce merge` does something else."""

ONLINE = "online"


def fusion_objective(text: str) -> str:
    """Returns the text, ``online`` or ``online:LINK``, if fusion can plan by it.

    Raises:
        UsageError: it is neither, or the link cannot be read.

    >>> fusion_objective("online:wan")
    'online:wan'
    """
    costs_of_objective(text)
    return text


def costs_of_objective(objective: str, flag: str = FLAGS[0]) -> CostTable:
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
    if name != ONLINE or (colon and not link):
        raise UsageError(
            f"{flag} {objective[:40]!r} is no objective; write online, or online:LINK as in online:wan"
        )
    try:
        return costs_on(Link.parse(link) if link and link != "loopback" else None)
    except UsageError as error:
        raise UsageError(f"{flag} {objective[:40]}: {error}") from None
