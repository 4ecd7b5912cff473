"""Prints warnings on standard error before a command does its work."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pi_bench.protocol import ProtocolInfo


def warn_of_protocol(info: ProtocolInfo, *, notes_follow: bool = False) -> None:
    """Warns of a protocol that protects nothing, and prints its caveat.

    With `notes_follow` the command prints the notes of the protocol itself, and the caveat is one of them.
    The default protocol gives no warning.

    >>> from pi_bench.registry import default_protocol
    >>> warn_of_protocol(default_protocol())
    """
    if not info.secure:
        print(f"warning: INSECURE protocol: {info.title}", file=sys.stderr)
    if info.caveat and not notes_follow:
        print(f"warning: {info.caveat}", file=sys.stderr)


def warn_of_instruction_set(isa: str) -> None:
    """Warns of kernels in plain code. `isa` is the result of `pi_bench.crypto.symmetric.require_isa`.

    >>> from contextlib import redirect_stderr
    >>> with redirect_stderr(sys.stdout):
    ...     warn_of_instruction_set("portable")
    warning: SLOW portable kernels: a processor with AES instructions is some twenty times faster
    """
    if isa == "portable":
        print(
            "warning: SLOW portable kernels: a processor with AES instructions is some twenty times faster",
            file=sys.stderr,
        )
