"""Runs both parties of a part of a protocol in one process, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from pi_bench.protocol import Party
from pi_bench.testing.memory_session import RECEIVE_TIMEOUT_S, MemorySession, memory_sessions

_Result = TypeVar("_Result")
_ClientResult = TypeVar("_ClientResult")
_ServerResult = TypeVar("_ServerResult")


def run_sub_protocol(
    client: Callable[[MemorySession], _ClientResult],
    server: Callable[[MemorySession], _ServerResult],
    *,
    timeout_s: float | None = RECEIVE_TIMEOUT_S,
) -> tuple[_ClientResult, _ServerResult]:
    """Runs a function per party on a session in memory, both at once, and returns both results.

    `timeout_s` bounds how long a party waits for a message. None sets no bound, as a debugger needs.

    >>> def ask(session):
    ...     session.send(b"how are you")
    ...     return bytes(session.receive(4))
    >>> def answer(session):
    ...     question = bytes(session.receive(11))
    ...     session.send(b"well")
    ...     return question
    >>> run_sub_protocol(ask, answer)
    (b'well', b'how are you')

    Raises the error of the party that failed first.
    """
    sessions = memory_sessions(timeout_s=timeout_s)
    calls: dict[Party, Callable[[MemorySession], object]] = {Party.CLIENT: client, Party.SERVER: server}
    threads = party_threads()
    try:
        results = run_at_both(sessions, threads, lambda party: calls[party](sessions[party]))
    finally:
        for thread in threads.values():
            thread.shutdown()
    return cast(_ClientResult, results[Party.CLIENT]), cast(_ServerResult, results[Party.SERVER])


def party_threads() -> dict[Party, ThreadPoolExecutor]:
    """Starts a thread per party, named after it.

    >>> threads = party_threads()
    >>> threads[Party.SERVER].submit(lambda: threading.current_thread().name).result()
    'server'
    >>> for thread in threads.values():
    ...     thread.shutdown()
    """
    return {
        party: ThreadPoolExecutor(1, initializer=_name_thread, initargs=(party.value,)) for party in Party
    }


def run_at_both(
    sessions: Mapping[Party, MemorySession],
    threads: Mapping[Party, ThreadPoolExecutor],
    call: Callable[[Party], _Result],
) -> dict[Party, _Result]:
    """Calls `call` for both parties at once and returns their results.

    A party that fails hangs up, so that the other one does not wait for it.

    >>> threads = party_threads()
    >>> results = run_at_both(memory_sessions(), threads, lambda party: party.upper())
    >>> results[Party.CLIENT], results[Party.SERVER]
    ('CLIENT', 'SERVER')
    >>> for thread in threads.values():
    ...     thread.shutdown()

    Raises the error of the party that failed first.
    """
    failures: list[BaseException] = []

    def run(party: Party) -> _Result | None:
        try:
            return call(party)
        except BaseException as error:
            failures.append(error)
            sessions[party].hang_up()
            return None

    running = {party: threads[party].submit(run, party) for party in Party}
    results = {party: future.result() for party, future in running.items()}
    if failures:
        raise failures[0]
    return results  # type: ignore[return-value]  # None stands for a failure alone


def _name_thread(name: str) -> None:
    threading.current_thread().name = name
