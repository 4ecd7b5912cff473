"""Writes what a run of the documents' commands has shown."""

from __future__ import annotations

from collections.abc import Sequence

from tests.shown_commands.collection import Command
from tests.shown_commands.exceptions import EXCEPTIONS, exception_of
from tests.shown_commands.runs import Outcome

HEADS = ("shown", "ran", "substituted", "left out", "failed", "seconds")


def summary(wanted: Sequence[Command], outcomes: Sequence[Outcome], seconds: float) -> str:
    """Returns the output of failures, the commands left out with their reasons, and one row per document.

    "substituted" counts the commands that ran with a text other than the shown one.
    """
    failed = [
        f"\n{each.command.place}: {each.command.tested}\n{each.output[-3000:].rstrip()}\n"
        for each in outcomes
        if each.exit_code
    ]
    left_out = [
        f"left out: {each.place}: {each.shown}: {EXCEPTIONS[key]}"
        for each in wanted
        if (key := exception_of(each.shown))
    ]
    documents = list(dict.fromkeys(each.document for each in wanted))
    rows = [("document", *HEADS), *(_row(name, wanted, outcomes) for name in documents)]
    if len(documents) > 1:
        counts = zip(*(row[1:] for row in rows[1:]), strict=True)
        rows.append(("all", *(str(sum(map(int, column))) for column in counts)))
    width = max(len(row[0]) for row in rows)
    table = [
        f"{row[0]:{width}}  "
        + "  ".join(f"{cell:>{len(head)}}" for cell, head in zip(row[1:], HEADS, strict=True))
        for row in rows
    ]
    return "\n".join([*failed, *left_out, *table, f"took {seconds:.0f} s in all"])


def _row(document: str, wanted: Sequence[Command], outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    shown = [each for each in wanted if each.document == document]
    ran = [each for each in outcomes if each.command.document == document]
    counts = (
        len(shown),
        len(ran),
        sum(each.command.tested != each.command.shown for each in ran),
        sum(exception_of(each.shown) is not None for each in shown),
        sum(each.exit_code != 0 for each in ran),
        round(sum(each.seconds for each in ran)),
    )
    return (document, *map(str, counts))
