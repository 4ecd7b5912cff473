"""Names the server in the errors of its client: its address, and the command that starts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pi_bench.channel import Address
from pi_bench.errors import NobodyListensError, PiBenchError

_OTHER_PARTY = "the other party"  # the name in errors of a channel, which serves both parties


@contextmanager
def named_server(address: Address, start: str) -> Iterator[None]:
    """Names the server at `address` in every `PiBenchError` that leaves the context.

    Args:
        start: the command that starts such a server.

    >>> with named_server(Address("10.0.0.2", 7000), "pi-bench serve"):
    ...     raise PiBenchError("the other party ended the session: its disk is full")
    Traceback (most recent call last):
    pi_bench.errors.PiBenchError: the server at 10.0.0.2:7000 ended the session: its disk is full
    """
    try:
        yield
    except NobodyListensError as error:
        raise NobodyListensError(
            f"{error}; start `{start}` on the other machine, at an address that this machine reaches"
        ) from error
    except PiBenchError as error:
        raise type(error)(str(error).replace(_OTHER_PARTY, f"the server at {address}")) from error
