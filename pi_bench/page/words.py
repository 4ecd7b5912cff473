"""The words of this field that the page uses, each with a sentence, at the end of the page.

The meanings are those of docs/glossary.md. Those of protocols and modes are the protocols' own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pi_bench.errors import PiBenchError
from pi_bench.page.parts import PageTable, Section
from pi_bench.page.runs import LabeledRun
from pi_bench.registry import find_protocol

WORDS = "words"
"""The name of the section."""
_MEANINGS = {
    "activation": "A ReLU, a truncation or another step between linear layers, in one element of a layer.",
    "activation bits": "The bits of the largest value that calibration saw at the result of an activation, "
    "in fixed point. More bits are more accurate.",
    "communication round": "One there and back of messages of which each depends on the one before.",
    "round": "Short for communication round.",
    "emulated link": "A link within one machine that is slowed down to the bandwidth and the round trip that "
    "--link asks for.",
    "first inference": "Set-up, offline and online together: the time until a client that has just started "
    "has its answer.",
    "floor": "The least time that a phase can take on this machine and link, by the best rates of both.",
    "hidden": "Of the server's work for a layer: the part during which the client does not wait.",
    "loopback": "TCP within one machine, without an emulated link.",
    "middle half": "The span between the quartiles of the timed runs. Half of the runs lie in it.",
    "offline": "The phase before the client's input is known. It makes material for one inference.",
    "online": "The phase from the client's input to the client's answer. Its time is the online latency.",
    "opened bit": "A bit under a random mask that a party learns. It is 0 or 1 with the same probability, so "
    "it reveals nothing.",
    "Pareto frontier": "The best points of a series. For each other point there is one of them that is at "
    "least as fast and at least as accurate, and better in one of both.",
    "payload": "The bytes of messages without the headers of their frames.",
    "predicted": "Of a time: computed from the messages and the work of the protocol and from the costs of "
    "the machine, without a run.",
    "probed": "Of a link: measured before the runs by messages of its own.",
    "set-up": "Connection, handshake, keys and base oblivious transfers, once per session.",
    "shared tables": "Shares of the truth tables of comparisons, from which both parties read the shares of "
    "one entry.",
    "truncate": "The operator that brings values back to their scale in a place where there is no ReLU.",
    "unit in the last place": "The smallest step of a fixed-point value.",
    "weight bits": "The width of a signed weight in fixed point.",
    "verified": "Every value of every run was compared with the same operator in the clear.",
    "quartiles": "The ends of the middle half of the timed runs.",
}
_NO_LETTERS = re.compile(r"[^a-z0-9]+")


def section(
    sections: Sequence[Section], runs: Sequence[LabeledRun], settings: Sequence[tuple[str, str]] = ()
) -> Section:
    """Returns the table of the words that the other sections use, or the settings under the title.

    >>> section([Section("bytes", "Bytes", words=("Bytes of payload.",))], []).tables[0].rows
    (('payload', 'The bytes of messages without the headers of their frames.'),)
    """
    text = " ".join((*_texts(sections), *(value for _, value in settings))).lower()
    used = {word for word in _MEANINGS if _uses(text, word)}
    explained = " ".join(meaning for word, meaning in _MEANINGS.items() if word in used).lower()
    rows = [
        *_protocol_meanings(runs),
        *_mode_meanings(runs),
        *_part_meanings(runs),
        *((word, meaning) for word, meaning in _MEANINGS.items() if word in used or _uses(explained, word)),
    ]
    rows.sort(key=lambda row: row[0].lower())
    addresses = {at: f"word-{_NO_LETTERS.sub('-', word.lower())}" for at, (word, _) in enumerate(rows)}
    table = PageTable("Words and their meanings", ("word", "meaning"), tuple(rows), addresses=addresses)
    tables = (table,) if rows else ()
    return Section(WORDS, "Words of this page", tables=tables)


def pattern_of(word: str) -> str:
    """Returns the regular expression of a word, each part of which may stand in the plural.

    The first part of "round trip" is no round.

    >>> re.findall(pattern_of("communication round"), "18 communication rounds")
    ['communication rounds']
    """
    parts = " ".join(f"{re.escape(part.removesuffix('s'))}s?" for part in word.split())
    return rf"\b{parts}\b(?! trip)"


def _uses(text: str, word: str) -> bool:
    """Returns whether a text in lower case has the word. Most texts lack most words' beginnings."""
    begin, *_ = word.lower().split()
    return begin.removesuffix("s") in text and re.search(pattern_of(word.lower()), text) is not None


def _texts(sections: Sequence[Section]) -> Iterator[str]:
    for each in sections:
        yield each.title
        yield from (*each.words, *each.missing)
        for fact in each.facts:
            yield from (fact.term, fact.value, fact.note)
        for plot in each.plots:
            yield from (plot.title, plot.words)
        for table in (*each.tables, *(plot.table for plot in each.plots)):
            yield from (table.title, *table.columns)
            for row in table.rows:
                yield from row


def _protocol_meanings(runs: Sequence[LabeledRun]) -> list[tuple[str, str]]:
    """Says of each protocol what it says about itself. One that is not installed says nothing."""
    found = []
    for name in dict.fromkeys(run.result.protocol for run in runs):
        try:
            meaning = find_protocol(name).meaning
        except PiBenchError:
            continue
        if meaning:
            found.append((name, meaning))
    return found


def _part_meanings(runs: Sequence[LabeledRun]) -> list[tuple[str, str]]:
    """Says of each part of the offline phase what its protocols say about it."""
    found: dict[str, dict[str, list[str]]] = {}
    for run in runs:
        try:
            declared = find_protocol(run.result.protocol).parts
        except PiBenchError:
            continue
        for part, figures in run.result.offline.parts.items():
            if part in declared and figures.bytes.total:
                owners = found.setdefault(part, {}).setdefault(declared[part], [])
                if run.result.protocol not in owners:
                    owners.append(run.result.protocol)
    return [
        (
            f"part {part}",
            " ".join(_owned(meaning, owners, len(meanings)) for meaning, owners in meanings.items()),
        )
        for part, meanings in found.items()
    ]


def _owned(meaning: str, owners: Sequence[str], meaning_count: int) -> str:
    """Begins a meaning with the protocols that it holds for, if others give the word another one."""
    return (
        meaning if meaning_count == 1 else f"Under {' and '.join(owners)}: {meaning[0].lower()}{meaning[1:]}"
    )


def _mode_meanings(runs: Sequence[LabeledRun]) -> list[tuple[str, str]]:
    """Says of each mode what its protocols say about it. A protocol that is not installed says nothing."""
    protocols: dict[tuple[str, str], list[str]] = {}
    for protocol, mode in dict.fromkeys((run.result.protocol, run.result.mode) for run in runs):
        try:
            declared = find_protocol(protocol).modes
        except PiBenchError:
            continue
        for each in declared:
            if each.name == mode:
                protocols.setdefault((mode, each.help), []).append(protocol)
    return [
        (mode, f"A mode of {' and '.join(names)}: {meaning}.") for (mode, meaning), names in protocols.items()
    ]
