"""The files of a training: each is written whole or stays as it was. Checkpoints hold no code."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pi_bench.atomic_file import whole_file
from pi_bench.errors import OutputError, TrainingError, reason
from pi_bench.network.files.torch_file import load_plain

from .workers import rank

CHECKPOINT_FORMAT = "pi-bench checkpoint 1"
START_FILE = "start.pt"
"""The name of a file with the weights that a training starts from, in the folder that prepares them."""


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Writes `content` to `path` whole or not at all. Of several workers, worker 0 writes.

    Raises:
        OutputError: The file cannot be written, for example on a full disk. The old file stays.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     write_whole(Path(name, "result.json"), b"{}")
    ...     [entry.name for entry in Path(name).iterdir()]
    ['result.json']
    """
    if rank() != 0:
        return
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        kept = "; the last good one is kept" if path.exists() else ""
        raise OutputError(
            f"cannot write {path}: {reason(error)}{kept}: free some space and run the same command again"
        ) from None


def save_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """Saves `content` as `torch.save` does, whole or not at all.

    Raises:
        OutputError: The file cannot be written. The old file stays.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     save_tensors(Path(name, "state.pt"), {"weight": torch.ones(2)})
    ...     torch.load(Path(name, "state.pt"), weights_only=True)
    {'weight': tensor([1., 1.])}
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    write_whole(path, buffer.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Returns the checkpoint that `save_tensors` wrote, or None if there is no file.

    Raises:
        TrainingError: The file is not a checkpoint of this program.
        ModelError: The file is damaged or holds Python objects, none of which are run.

    >>> load_checkpoint(Path("nowhere.pt")) is None
    True
    """
    try:
        with open(path, "rb") as file:
            content = load_plain(str(path), file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {reason(error)}") from None
    if not isinstance(content, dict) or content.get("format") != CHECKPOINT_FORMAT:
        raise TrainingError(f"{path} is no checkpoint of this program: choose another --output folder")
    return content


def check_same(saved: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path) -> None:
    """Compares the identity in the checkpoint `saved` with that of the wanted training.

    Raises:
        TrainingError: The checkpoint belongs to another training.

    >>> check_same({"identity": {"seed": 1}}, {"seed": 1}, Path("trained"))
    >>> try:
    ...     check_same({"identity": {"seed": 1}}, {"seed": 2}, Path("trained"))
    ... except TrainingError as error:
    ...     print(str(error).partition(":")[0])
    trained holds a training with another seed (1, not 2)
    """
    found = saved.get("identity", {})
    for key in {**found, **wanted}:
        value = wanted.get(key)
        if found.get(key) != value:
            raise TrainingError(
                f"{folder} holds a training with another {key} ({found.get(key)!r:.60}, not {value!r:.60}): "
                "choose another --output folder, or delete this one"
            )
