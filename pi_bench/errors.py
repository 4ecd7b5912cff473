"""Errors that a user can do something about, each with its documented exit code.

Every command catches `PiBenchError` at the top, prints one line (`error: …`) and exits with
`exit_code`. The message names what was wrong and what to do.
"""

import csv
import json


class PiBenchError(Exception):
    """Base of every expected failure."""

    exit_code = 1


class VerificationError(PiBenchError):
    """The private answer broke its law; the message names the layer."""

    exit_code = 1


class UsageError(PiBenchError):
    """A flag or an argument that cannot be used as given."""

    exit_code = 2


class OutputError(UsageError):
    """A file or a folder that cannot be written, in any command: a full disk, no permission."""


class ModelError(PiBenchError):
    """A model file that is not one, is damaged, is too new, or cannot be lowered or compiled."""

    exit_code = 3


class InputError(PiBenchError):
    """An input array of the wrong shape, dtype or range."""

    exit_code = 4


class DataError(InputError):
    """Images to train on that are missing, damaged, or not what their name says."""


class ConnectionFailedError(PiBenchError):
    """No connection, a lost one, a time-out, or an address in use."""

    exit_code = 5


class PeerError(PiBenchError):
    """The other party speaks another version or program, or sends what the protocol forbids."""

    exit_code = 6


class PeerGaveUpError(PeerError):
    """The other party ended the session and said why."""


class EnvironmentUnsupportedError(PiBenchError):
    """This machine cannot run the program (a CPU without AES-NI, no memory to lock, …)."""

    exit_code = 7


class PreprocessingSpentError(PiBenchError):
    """Preprocessing is one-time material and was claimed before."""

    exit_code = 8


class TrainingError(PiBenchError):
    """A training that diverged, or whose folder cannot be used or holds another training."""

    exit_code = 9


class DivergedError(TrainingError):
    """The loss of a training is no number, or stays high: the same settings would end the same way."""


EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does: through its contexts, with its finished runs kept."""


def interruption_code(interruption: KeyboardInterrupt) -> int:
    """The exit code that says whether Ctrl-C or SIGTERM ended a command."""
    return EXIT_TERMINATED if isinstance(interruption, Terminated) else EXIT_INTERRUPTED


def interruption_word(exit_code: int) -> str:
    """The word for it in messages."""
    return "terminated" if exit_code == EXIT_TERMINATED else "interrupted"


def reason(error: Exception) -> str:
    """Says in words why something could not be read, written or understood.

    Python's own texts ("[Errno 2] ...", "could not convert string to float") name its internals, so
    that a message is made of this instead.

    >>> reason(FileNotFoundError(2, "No such file or directory"))
    'No such file or directory'
    >>> reason(KeyError("recipe"))
    "it lacks 'recipe'"
    """
    match error:
        case PiBenchError():
            return str(error)
        case OSError():
            return error.strerror or "the system refuses it"
        case UnicodeDecodeError():
            return "it is not UTF-8 text"
        case json.JSONDecodeError():
            return f"it is not JSON (line {error.lineno})"
        case KeyError():
            return f"it lacks {error.args[0]!r:.80}"
        case csv.Error():
            return "it is not a table of comma-separated values"
        case _:
            return "a value in it has the wrong form"
