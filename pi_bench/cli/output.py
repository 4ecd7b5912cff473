"""Writes the files of a command, and prints its result."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.atomic_file import whole_file
from pi_bench.errors import OutputError, reason
from pi_bench.report.colors import print_colored
from pi_bench.report.text_width import wrapped

if TYPE_CHECKING:
    import numpy as np

STDOUT = "-"
"""Names standard output in place of a file."""


def add_json(parser: argparse._ActionsContainer, schema: str | None = None) -> None:
    """Adds ``--json FILE``, which means the same in every command.

    Args:
        schema: name of the schema of the result.

    >>> parser = argparse.ArgumentParser()
    >>> add_json(parser, "result")
    >>> parser.parse_args(["--json", "result.json"]).json
    'result.json'
    """
    described = "" if schema is None else f"; `pi-bench schema {schema}` describes it"
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=_json_target,
        help=f"write the result to FILE as JSON; - prints it in place of the text{described}",
    )


def _json_target(name: str) -> str:
    """Returns `STDOUT` for every name of standard output, because the text would go to the same stream."""
    return STDOUT if name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1") else name


def deliver(
    words: str,
    json_name: str | None,
    fields: Any,
    *,
    keep: Callable[[Any], str] | None = None,
    as_it_is: bool = False,
) -> None:
    """Writes a result to the file of ``--json``, then prints it: as `words`, or as JSON if the file is
    ``-``.

    The result is printed even if the file cannot be written.

    Args:
        keep: keeps the result elsewhere before it is printed, and returns a line that says where.
        as_it_is: prints `words` for a program: without that line, and no line is broken.

    Raises:
        OutputError: the file cannot be written. An older file of that name is left whole.

    >>> deliver("5 runs", None, {"runs": 5})
    5 runs
    >>> deliver("5 runs", "-", {"runs": 5})
    {
      "runs": 5
    }
    """
    try:
        if json_name not in (None, STDOUT):
            write_json(Path(str(json_name)), fields)
    finally:
        kept = "" if keep is None else keep(fields)
        text = f"{words}\n\n{kept}" if kept else words
        if json_name == STDOUT:
            print(json_text(fields))
        elif as_it_is:
            print(words.removesuffix("\n"))
        else:
            print_text(text)


def print_text(text: str) -> None:
    """Prints the text of a command: fitted to the width of the terminal, with colors where it shows them.

    >>> print_text("5 runs")
    5 runs
    """
    print_colored(wrapped(text), sys.stdout)


def json_text(fields: Any) -> str:
    """Formats a document or JSON values as every command writes them; NaN and infinity are a ValueError.

    >>> print(json_text({"runs": 5}))
    {
      "runs": 5
    }
    """
    import msgspec  # here, because `pi-bench --help` needs none of it

    return json.dumps(msgspec.to_builtins(fields), indent=2, allow_nan=False)


_OUTPUTS = ("output", "json", "csv", "file", "trace")


def writable(name: str | None, parsed: argparse.Namespace | None = None) -> None:
    """Refuses a file that cannot be written, before a long run rather than after it. None and ``-`` are no
    files.

    Args:
        parsed: the arguments of the command. A file that one of them names as an input is refused too,
            because writing would replace it.

    Raises:
        OutputError: it is a folder or an input of the command, its folder does not exist, or permission is
            missing.

    >>> writable("no-such-folder/result.json")
    Traceback (most recent call last):
    pi_bench.errors.OutputError: cannot write no-such-folder/result.json: there is no folder ...
    """
    if name is None or name == STDOUT:
        return
    path = Path(name)
    if path.is_dir():
        raise OutputError(f"cannot write {name}: it is a folder")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"cannot write {name}: there is no folder {path.absolute().parent}")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise OutputError(f"cannot write {name}: permission denied")
    for given in _inputs(parsed):
        if path.exists() and os.path.exists(given) and os.path.samefile(path, given):
            raise OutputError(f"cannot write {name}: it is an input of this command; choose another name")


def _inputs(parsed: argparse.Namespace | None) -> list[str]:
    """Returns all values that may name an input."""
    found: list[str] = []
    for name, value in ({} if parsed is None else vars(parsed)).items():
        if name not in _OUTPUTS:
            values = value if isinstance(value, list | tuple) else [value]
            found += [each for each in values if isinstance(each, str) and each and "\0" not in each]
    return found


def writable_folder(path: Path) -> None:
    """Makes the folder if it does not exist.

    Raises:
        OutputError: it cannot be made.

    >>> writable_folder(Path("/dev/null/trained"))
    Traceback (most recent call last):
    pi_bench.errors.OutputError: cannot use /dev/null/trained as the output folder: Not a directory
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot use {path} as the output folder: {reason(error)}") from None


def write_array(path: Path, array: np.ndarray) -> None:
    """Writes an array as ``.npy``, under exactly this name. An older file is replaced at once or left whole.

    Raises:
        OutputError: the file cannot be written, for instance because the disk is full.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_array(Path(folder, "logits"), np.zeros(10))
    ...     np.load(Path(folder, "logits")).shape
    (10,)
    """
    import numpy as np

    content = io.BytesIO()  # numpy, writing to a file itself, does not say why it cannot
    np.save(content, array, allow_pickle=False)
    with _writing(path), whole_file(path) as file:
        file.write(content.getbuffer())


def write_json(path: Path, fields: Mapping[str, Any]) -> None:
    """Writes a result as JSON. An older file is replaced at once or left whole.

    Raises:
        OutputError: the file cannot be written, for instance because the disk is full.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json(Path(folder, "result.json"), {"runs": 5})
    ...     json.loads(Path(folder, "result.json").read_text())
    {'runs': 5}
    """
    with _writing(path), whole_file(path) as file:
        file.write(f"{json_text(fields)}\n".encode())


def write_text(name: str, text: str) -> None:
    """Writes text to a file, or prints it if the file is ``-``.

    An older file is replaced at once or left whole.

    Raises:
        OutputError: the file cannot be written, for instance because the disk is full.

    >>> write_text("-", "id,kind")
    id,kind
    """
    if name == STDOUT:
        print(text, end="" if text.endswith("\n") else "\n")
        return
    with _writing(Path(name)), whole_file(Path(name)) as file:
        file.write(text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file. An older file is replaced at once or left whole.

    Raises:
        OutputError: the file cannot be written, for instance because the disk is full.

    >>> write_bytes(Path("/dev/null/plot.png"), b"")
    Traceback (most recent call last):
    pi_bench.errors.OutputError: cannot write /dev/null/plot.png: Not a directory
    """
    with _writing(path), whole_file(path) as file:
        file.write(content)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from None
