"""Formats the help of commands: paragraphs and options fit the terminal, and the exit codes come last."""

from __future__ import annotations

import argparse
import textwrap

from pi_bench.errors import EXIT_CODES

_MIN_WIDTH = 30


class HelpFormatter(argparse.HelpFormatter):
    """Formatter of help texts. It breaks lines between words, and never at the hyphen of a flag.

    Lines of descriptions that are indented, such as examples, stay as they are.

    >>> parser = argparse.ArgumentParser(
    ...     prog="pi-bench", description="Measures a\\nnetwork.\\n\\n  pi-bench latency", add_help=False,
    ...     formatter_class=HelpFormatter,
    ... )
    >>> print(parser.format_help())
    usage: pi-bench
    <BLANKLINE>
    Measures a network.
    <BLANKLINE>
      pi-bench latency
    <BLANKLINE>
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        paragraph: list[str] = []
        for line in [*text.rstrip().split("\n"), ""]:
            if line and not line.startswith(" "):
                paragraph.append(line)
                continue
            lines += _wrapped(" ".join(paragraph), width)
            lines.append(line)
            paragraph = []
        return "\n".join(indent + line if line else "" for line in lines[:-1])

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(" ".join(text.split()), width)


def exit_code_lines(width: int) -> str:
    """Formats the list of exit codes for the help of a command, in lines of at most `width` characters.

    >>> print(exit_code_lines(40))
    exit codes:
      0    success
      1    verification failed, or an
           internal error
    ...
    """
    lines = ["exit codes:"]
    for code, meaning in EXIT_CODES.items():
        lines += textwrap.wrap(
            meaning, max(width, _MIN_WIDTH), initial_indent=f"  {code:<5}", subsequent_indent=" " * 7
        )
    return "\n".join([*lines, ""])


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 11), break_on_hyphens=False)
