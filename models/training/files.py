"""The files of a training: each whole or as it was before, checkpoints without code in them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pi_bench.atomic_file import whole_file
from pi_bench.errors import OutputError, TrainingError, reason
from pi_bench.network.files.torch_file import load_plain

from .workers import worker

CHECKPOINT_FORMAT = "pi-bench checkpoint 1"


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Writes `path` as a whole or not at all. Of several workers, worker 0 writes.

    Raises:
        OutputError: it cannot be written (a full disk); what was at `path` is still there.
    """
    if worker() != 0:
        return
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        kept = "; the last good one is kept" if path.exists() else ""
        raise OutputError(
            f"cannot write {path}: {reason(error)}{kept}: make room and run the same command again"
        ) from None


def save_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """As `torch.save`, whole or not at all. Raises: OutputError."""
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    write_whole(path, buffer.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """What `save_tensors` wrote as a checkpoint; None where there is none.

    Raises:
        TrainingError: the file is no checkpoint of this program.
        ModelError: it is damaged or holds Python objects, none of which were run.
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
    """Raises TrainingError: `saved` is the checkpoint of a training that is not the one of `wanted`."""
    found = saved.get("identity", {})
    for key, value in wanted.items():
        if found.get(key) != value:
            raise TrainingError(
                f"{folder} holds a training with another {key} ({found.get(key)!r:.60}, not {value!r:.60}): "
                "choose another --output folder, or delete this one"
            )
