"""``model.pt``: the versioned container of a float graph, specified in docs/model-file.md.

``torch.save`` writes plain dicts, lists, strings, numbers and tensors to the file, so that
``torch.load(weights_only=True)`` reads it and nothing in it can run. A SHA-256 over metadata and
tensors detects damage and alteration; it is no signature.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pi_bench.atomic_file import whole_file
from pi_bench.codec import CodecError, encode
from pi_bench.errors import ModelError, OutputError, reason
from pi_bench.network.files.torch_file import explain_content, load_plain
from pi_bench.network.files.written_model import read_written
from pi_bench.network.graph import Graph, node_from_fields, node_to_fields
from pi_bench.network.graph.check import check_graph

FORMAT = "pi-bench model"
FORMAT_VERSION = 2
"""Version 1, which has fewer operators and fields, is read too; absent fields have their defaults."""

_FIELDS = {"format", "version", "nodes", "ranges", "labels", "meta", "parameters", "masks", "sha256"}


def save_model(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Writes `graph` (calibrated) to `path`; a reader sees the whole file or none.

    Raises:
        ModelError: the graph is not sound.
        OutputError: `path` cannot be written.

    >>> import tempfile
    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> nodes = InputNode("x", (), (2,)), OutputNode("o", ("x",), (2,))
    >>> graph = Graph(nodes, parameters={}, ranges={"x": 1.0, "o": 1.0})
    >>> with tempfile.NamedTemporaryFile(suffix=".pt") as file:
    ...     save_model(graph, file.name)
    ...     load_model(file.name).ranges
    {'x': 1.0, 'o': 1.0}
    """
    import torch

    check_graph(graph)
    metadata = {
        "nodes": [node_to_fields(node) for node in graph.nodes],
        "ranges": dict(graph.ranges),
        "labels": list(graph.labels),
        "meta": dict(graph.meta),
    }
    if not _is_json(metadata):
        raise ModelError("the graph's metadata must be JSON values: text, numbers, lists, mappings of text")
    # A numpy number is a float to JSON, but an object of its own, which no reader accepts, to torch.
    metadata = json.loads(json.dumps(metadata))
    content = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        **metadata,
        "parameters": {name: torch.from_numpy(array.copy()) for name, array in graph.parameters.items()},
        "masks": {name: torch.from_numpy(array.copy()) for name, array in graph.masks.items()},
        "sha256": _digest(FORMAT_VERSION, metadata, graph.parameters, graph.masks),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    _replace(Path(path), buffer.getbuffer())


def load_model(path: str | os.PathLike[str]) -> Graph:
    """Reads and validates the graph in the model file at `path`.

    Raises:
        ModelError: not a model file, a damaged or altered one, or one of a newer version. The message is one
            line that says what the file is and what to do.

    >>> load_model("no-such-model.pt")
    Traceback (most recent call last):
    pi_bench.errors.ModelError: cannot read the model no-such-model.pt: No such file or directory
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ModelError(f"{name} is not a regular file: give the path of a model.pt")
            return _read(name, file)
    except OSError as error:
        raise ModelError(f"cannot read the model {name}: {reason(error)}") from None


def _read(name: str, file: BinaryIO) -> Graph:
    file_bytes = os.fstat(file.fileno()).st_size
    content = read_written(file)
    if content is None or content.get("format") != FORMAT:
        file.seek(0)
        content = load_plain(name, file)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise explain_content(name, content)
    version = content.get("version")
    if not isinstance(version, int) or version < 1:
        raise ModelError(f"{name} is damaged: its format version is {version!r:.40}; export it again")
    if version > FORMAT_VERSION:
        raise ModelError(
            f"{name} has format version {version}, this program reads up to {FORMAT_VERSION}: update pi-bench"
        )
    damaged = ModelError(f"{name} is damaged or was altered: export it again")
    if set(content) != _FIELDS:
        raise damaged
    metadata = {key: content[key] for key in ("nodes", "ranges", "labels", "meta")}
    kinds = {"nodes": list, "ranges": dict, "labels": list, "meta": dict}
    if not all(isinstance(metadata[key], kind) for key, kind in kinds.items()) or not _is_json(metadata):
        raise damaged
    parameters = _arrays(content["parameters"], np.float32, file_bytes)
    masks = _arrays(content["masks"], np.bool_, file_bytes)
    if parameters is None or masks is None:
        raise damaged
    try:
        digest = _digest(version, metadata, parameters, masks)
    except CodecError:
        raise damaged from None
    if digest != content["sha256"]:
        raise damaged
    graph = Graph(
        nodes=tuple(node_from_fields(fields) for fields in metadata["nodes"]),
        parameters=parameters,
        masks=masks,
        ranges=metadata["ranges"],
        labels=tuple(metadata["labels"]),
        meta=metadata["meta"],
    )
    check_graph(graph)
    return graph


def _arrays(tensors: Any, dtype: type, limit_bytes: int) -> dict[str, np.ndarray] | None:
    """Returns `tensors` as numpy arrays; None unless they are plain and no larger than their file.

    A stride of 0 makes a few bytes look like any number of elements, hence the limit.
    """
    if not isinstance(tensors, dict):
        return None
    arrays: dict[str, np.ndarray] = {}
    total_bytes = 0
    for name, tensor in tensors.items():
        array = tensor if isinstance(tensor, np.ndarray) else _dense(tensor)
        if not isinstance(name, str) or array is None or array.dtype != dtype:
            return None
        total_bytes += array.nbytes
        if total_bytes > limit_bytes or not array.flags.c_contiguous:
            return None
        arrays[name] = array
    return arrays


def _dense(tensor: Any) -> np.ndarray | None:
    """Returns a view of a torch tensor; None if it is none in memory, or no tensor."""
    import torch

    if type(tensor) is not torch.Tensor or tensor.layout != torch.strided or tensor.device.type != "cpu":
        return None
    if tensor.dtype not in (torch.float32, torch.bool):
        return None
    array: np.ndarray = tensor.detach().numpy()
    return array


def _digest(version: int, metadata: dict[str, Any], parameters: Any, masks: Any) -> str:
    """Computes the SHA-256, hexadecimal, over the canonical container of everything but the digest."""
    arrays = {f"parameters/{name}": array for name, array in parameters.items()}
    arrays |= {f"masks/{name}": array for name, array in masks.items()}
    meta = {"format": FORMAT, "version": version, **metadata}
    return hashlib.sha256(encode(meta, arrays)).hexdigest()


def _is_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError, RecursionError):
        return False


def _replace(path: Path, data: memoryview) -> None:
    """Writes a temporary file and renames it, so that `path` always has the whole old or the whole new
    file."""
    try:
        if path.exists() and not path.is_file():
            raise OutputError(f"cannot write {path}: it exists and is not a regular file")
        with whole_file(path) as file:
            file.write(data)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}; choose another output path") from None
