"""The errors that a user can act on, each with its documented exit code.

Every command catches `PiBenchError` at the top, prints one line (`error: …`) and exits with `exit_code`. The
message says what was wrong and what to do.
"""

from collections.abc import Iterator


class PiBenchError(Exception):
    """The base class of all expected failures.

    >>> try:
    ...     raise UsageError("--batch 0: give 1 or more")
    ... except PiBenchError as error:
    ...     print(f"error: {error} (exit code {error.exit_code})")
    error: --batch 0: give 1 or more (exit code 2)
    """

    exit_code = 1


class VerificationError(PiBenchError):
    """Reports a private answer that breaks the law of its mode. The message names the layer.

    >>> VerificationError("layer 'relu1': 3 of 4 values differ from the law").exit_code
    1
    """

    exit_code = 1


class UsageError(PiBenchError):
    """Reports a flag or an argument that cannot be used as given.

    >>> UsageError("--batch 0: give 1 or more").exit_code
    2
    """

    exit_code = 2


class OutputError(UsageError):
    """Reports a file or a folder that cannot be written, such as on a full disk.

    >>> isinstance(OutputError("run.json: Permission denied"), UsageError)
    True
    """


class ModelError(PiBenchError):
    """Reports a network that cannot be read, lowered or compiled, such as a damaged or too new model file.

    >>> ModelError("net.pt: not a model file of pi-bench").exit_code
    3
    """

    exit_code = 3


class ExportError(ModelError):
    """Reports a trained network that cannot become a model file, such as one that fixed point does not hold.

    >>> ExportError("layer 'relu': its terms cancel").exit_code
    3
    """


class InputError(PiBenchError):
    """Reports an input array of the wrong shape, dtype or range.

    >>> InputError("x.npy: shape (3, 28, 28), the network takes (3, 32, 32)").exit_code
    4
    """

    exit_code = 4


class DataError(InputError):
    """Reports a data set that is missing or damaged, or is another one than its name says.

    >>> DataError("train.zip: not a whole archive; download it again").exit_code
    4
    """


class ConnectionFailedError(PiBenchError):
    """Reports a connection that failed: refused, lost, timed out, or an address that is in use.

    >>> ConnectionFailedError("the other party closed the connection").exit_code
    5
    """

    exit_code = 5


class NobodyListensError(ConnectionFailedError):
    """Reports an address at which nobody listens.

    >>> NobodyListensError("cannot connect to 10.0.0.2:7000: nobody listens there").exit_code
    5
    """


class PeerError(PiBenchError):
    """Reports another party that runs another version or program, or breaks the protocol.

    >>> PeerError("the client sent the unknown command 9").exit_code
    6
    """

    exit_code = 6


class PeerGaveUpError(PeerError):
    """Reports another party that ended the session and said why.

    >>> PeerGaveUpError("the other party ended the session: the client sent the unknown command 9").exit_code
    6
    """


class EnvironmentUnsupportedError(PiBenchError):
    """Reports a machine that cannot run the program, such as a CPU without AES-NI.

    >>> EnvironmentUnsupportedError("this CPU has no AES-NI; run on another machine").exit_code
    7
    """

    exit_code = 7


class PreprocessingSpentError(PiBenchError):
    """Reports one-time material of the offline phase that was claimed before.

    >>> PreprocessingSpentError("the preprocessing of inference 0 was used before").exit_code
    8
    """

    exit_code = 8


class TrainingError(PiBenchError):
    """Reports a training that diverged, or a folder that cannot be used or holds another training.

    >>> TrainingError("runs/a holds the training of another recipe; give another folder").exit_code
    9
    """

    exit_code = 9


class DivergedError(TrainingError):
    """Reports a training loss that became NaN or never fell. The same settings would fail again.

    >>> DivergedError("the loss became NaN in epoch 3; lower the learning rate").exit_code
    9
    """


EXIT_SLOWER = 10
EXIT_CELLS = 11
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

EXIT_CODES = {
    0: "success",
    1: "verification failed, or an internal error",
    2: "wrong usage: an unknown name, a flag or value that is not possible, a file or folder that cannot be "
    "written",
    3: "the network cannot be used: its file is missing or damaged, or it cannot be lowered or compiled",
    4: "the input cannot be used: its file is missing or damaged, or the array has the wrong shape, dtype or "
    "range; likewise calibration inputs, labels, costs and data sets",
    5: "no connection, a lost connection, a time-out, a port in use, a killed party",
    6: "the other party has another version or program, or breaks the protocol; the checksums differ",
    7: "this machine lacks something that the command needs, such as torch or memory that can be locked",
    8: "one-time preprocessing was used before",
    9: "a training diverged, or its folder holds another training",
    EXIT_SLOWER: "slower than --fail-if-slower or --max-slowdown allows, undecided, or not to be judged",
    EXIT_CELLS: "cells of a sweep or a table failed; the others are kept, and the same command tries again",
    EXIT_INTERRUPTED: "interrupted by Ctrl-C: finished runs are kept and written, marked as interrupted; a "
    "second Ctrl-C leaves out the writing, a third one ends the process at once",
    EXIT_TERMINATED: "terminated by SIGTERM, which acts as Ctrl-C does",
}
"""The meaning of each exit code, the same in every command. ``--help`` and docs/measuring.md list them."""


class Terminated(KeyboardInterrupt):
    """Ends a command on SIGTERM as Ctrl-C does, with its finished runs kept.

    >>> interruption_code(Terminated())
    143
    """


def interruption_code(interruption: KeyboardInterrupt) -> int:
    """Returns the exit code that tells whether Ctrl-C or SIGTERM ended a command.

    >>> interruption_code(KeyboardInterrupt())
    130
    """
    return EXIT_TERMINATED if isinstance(interruption, Terminated) else EXIT_INTERRUPTED


def by_name(name: str) -> type[PiBenchError]:
    """Returns the error type that another process names, or `PiBenchError` for an unknown name.

    >>> by_name("DivergedError"), by_name("json")
    (<class 'pi_bench.errors.DivergedError'>, <class 'pi_bench.errors.PiBenchError'>)
    """
    return next((kind for kind in _types(PiBenchError) if kind.__name__ == name), PiBenchError)


def by_exit_code(exit_code: int) -> type[PiBenchError]:
    """Returns the error type with which another command ended, or `PiBenchError` for another exit code.

    >>> by_exit_code(ModelError.exit_code), by_exit_code(99)
    (<class 'pi_bench.errors.ModelError'>, <class 'pi_bench.errors.PiBenchError'>)
    """
    types = PiBenchError.__subclasses__()
    return next((kind for kind in types if kind.exit_code == exit_code), PiBenchError)


def _types(general: type[PiBenchError]) -> Iterator[type[PiBenchError]]:
    yield general
    for special in general.__subclasses__():
        yield from _types(special)


def interruption_word(exit_code: int) -> str:
    """Returns the word for an interruption in messages.

    >>> interruption_word(EXIT_TERMINATED)
    'terminated'
    """
    return "terminated" if exit_code == EXIT_TERMINATED else "interrupted"


def reason(error: Exception) -> str:
    """Returns the reason why something could not be read, written or understood, for a message.

    Python's own texts, such as "[Errno 2] ..." and "could not convert string to float", name its internals.
    Messages use this reason instead.

    >>> reason(FileNotFoundError(2, "No such file or directory"))
    'No such file or directory'
    >>> reason(FileExistsError(17, "File exists"))  # from making a folder
    'it is a file, and no folder'
    >>> reason(KeyError("recipe"))
    "it lacks 'recipe'"
    """
    import csv  # these two here, because every command loads this module
    import json

    match error:
        case PiBenchError():
            return str(error)
        case FileExistsError():
            return "it is a file, and no folder"
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
