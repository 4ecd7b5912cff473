"""Finds the commands in the documents.

A comment above a block names what tests write differently, such as fewer epochs:

    <!-- Tests write `--epochs 12` as `--epochs 1`, `resnet18` as `small.toml`. -->

`{port}` in a substitution stands for a free port.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{p.name}" for p in sorted((ROOT / "docs").glob("*.md"))),
)
SHELLS = ("sh", "bash", "console")

_BLOCK = re.compile(
    r"(?:<!-- Tests write (?P<changes>(?:(?!-->).)*)\. -->\s*)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_CHANGE = re.compile(r"`([^`]+)`\s+as\s+`([^`]+)`")
_COMMENT = re.compile(r"(^|\s+)#(\s.*)?$")


@dataclass(frozen=True)
class Command:
    """One line of a block, with its continuations, as it is shown and as tests run it."""

    document: str
    line: int
    block: int
    shown: str
    tested: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the line of its first text, and the substitutions above it."""

    line: int
    language: str
    text: str
    changes: tuple[tuple[str, str], ...]


def blocks(text: str) -> list[Block]:
    """Returns all fenced blocks of a document."""
    found = []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("text")) + 1
        words = " ".join((match["changes"] or "").split())
        found.append(Block(line, match["language"], match["text"], tuple(_CHANGE.findall(words))))
    return found


def commands(document: str, text: str) -> list[Command]:
    """Returns the commands of a document in their order. Raises ValueError if a substitution fits nothing."""
    found = []
    for number, block in enumerate(blocks(text)):
        if block.language not in SHELLS:
            continue
        unused = {old for old, _ in block.changes}
        line = block.line
        for lines in re.findall(r"(?:.*\\\n)*.*\n", block.text):
            shown = _COMMENT.sub("", re.sub(r"\s*\\\n\s*", " ", lines)).strip()
            if block.language == "console":  # other lines are output
                shown = shown.removeprefix("$ ") if shown.startswith("$ ") else ""
            tested = shown
            for old, new in block.changes:
                if old in tested:
                    unused.discard(old)
                    tested = tested.replace(old, new)
            if shown:
                found.append(Command(document, line, number, shown, tested))
            line += lines.count("\n")
        if unused:
            raise ValueError(f"{document}:{block.line}: no command has {sorted(unused)}")
    return found


def all_commands() -> list[Command]:
    """Returns the commands of all documents."""
    return [each for name in DOCUMENTS for each in commands(name, (ROOT / name).read_text())]


def commands_from(wanted: Sequence[Command], place: str) -> list[Command]:
    """Returns the commands from `place` on, a document or the line of a command: README.md, README.md:184.

    Raises ValueError if no command stands there.
    """
    for index, each in enumerate(wanted):
        if place in (each.document, each.place):
            return list(wanted[index:])
    document = place.partition(":")[0]
    lines = ", ".join(str(each.line) for each in wanted if each.document == document)
    reason = f"{document} has them in {lines}" if lines else "no document of this run has that name"
    raise ValueError(f"no command at {place}; {reason}")
