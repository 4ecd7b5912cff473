"""Reads the archive that ``torch.export.save`` writes, as data.

``torch.export.load`` would unpickle, parse expressions with Python's own parser, and load compiled code
that an archive may carry. Here the graph's JSON and the raw bytes of tensors are read, and nothing else.
torch 2.8 saves the tensors with ``torch.save``; those are read as `load_plain` reads any such file.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch

from pi_bench.errors import ModelError
from pi_bench.network.files.torch_file import load_plain

SCHEMA_MAJOR = 8
_MALFORMED = (
    *(zipfile.BadZipFile, RuntimeError, EOFError, OverflowError),
    *(ValueError, KeyError, TypeError, AttributeError, IndexError),
)
_RECORD_LIMIT = 100_000
_JSON_LIMIT_BYTES = 1 << 27
_DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
"""Types of the schema's ScalarType; complex and 8-bit floats are left out."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The content of an archive.

    Attributes:
        program: the JSON of its one program.
        tensors: parameters, buffers and constants by name.

    >>> Archive({}, {"weight": torch.zeros(2, 3)}).tensors["weight"].shape
    torch.Size([2, 3])
    """

    program: dict[str, Any]
    tensors: dict[str, torch.Tensor]


def read_archive(name: str, file: BinaryIO) -> Archive:
    """Reads the program and the tensors of the archive `file`.

    Raises:
        ModelError: no such archive, damaged, of another schema, or with tensors that need unpickling.

    >>> import io
    >>> read_archive("tiny.pt2", io.BytesIO(b"PK"))
    Traceback (most recent call last):
    pi_bench.errors.ModelError: tiny.pt2 is truncated or damaged: copy it or save it again ...
    """
    damaged = ModelError(f"{name} is truncated or damaged: copy it or save it again with torch.export.save")
    try:
        with zipfile.ZipFile(file) as archive:
            return _Reader(name, archive).read()
    except _MALFORMED:
        raise damaged from None


def dtype_of(code: Any) -> torch.dtype:
    """Returns the torch dtype of a code of the archive's schema.

    Raises:
        ModelError: a dtype that is not supported.

    >>> dtype_of(7)
    torch.float32
    """
    if code not in _DTYPES:
        raise ModelError(f"dtype {code!r:.20} of the archive's schema is not supported; use float32")
    return _DTYPES[code]


class _Reader:
    """A reader of one open archive; malformed fields raise Python's errors, which `read_archive` replaces."""

    def __init__(self, name: str, archive: zipfile.ZipFile) -> None:
        self._name = name
        self._archive = archive
        records = archive.infolist()
        names = {each.filename.partition("/")[2] for each in records[:_RECORD_LIMIT]}
        if "data.pkl" in names:
            raise ModelError(
                f"{name} is of torch.save or torch.jit.save: it holds weights or a pickled module, and no "
                "program; nothing of it was run. Give the module with --module MODULE:NAME and its weights "
                "with --weights, or save it with torch.export.save"
            )
        if len(records) > _RECORD_LIMIT or any(each.compress_type != zipfile.ZIP_STORED for each in records):
            raise ModelError(f"{name} is not of torch.export.save: its records are compressed")
        self._records = {each.filename.partition("/")[2]: each for each in records}

    def read(self) -> Archive:
        if self._bytes("byteorder") != b"little":
            raise ModelError(f"{self._name} was written on a big-endian machine: save it on another")
        programs = [record for record in self._records if record.startswith("models/")]
        if len(programs) != 1:
            raise ModelError(f"{self._name} holds {len(programs)} programs; one is needed")
        program = self._json(programs[0])
        major = program["schema_version"]["major"]
        if major != SCHEMA_MAJOR:
            raise ModelError(
                f"{self._name} has schema version {major!r:.20}, {SCHEMA_MAJOR} is read: save it with "
                "torch 2.13, or give the module to pi_bench.export"
            )
        stem = programs[0].removeprefix("models/").removesuffix(".json")
        tensors = {
            **self._tensors(stem, "weights"),
            **self._tensors(stem, "constants"),
        }
        return Archive(program, tensors)

    def _tensors(self, stem: str, kind: str) -> dict[str, torch.Tensor]:
        folder = f"data/{kind}/"
        config, saved = f"{folder}{stem}_{kind}_config.json", f"{folder}{stem}.pt"
        if config in self._records:
            entries = self._json(config)["config"]
            return {str(name): self._tensor(str(name), folder, entry) for name, entry in entries.items()}
        if saved in self._records:
            content = load_plain(f"{self._name} ({saved})", io.BytesIO(self._bytes(saved)))
            return {str(name): self._saved_tensor(str(name), value) for name, value in content.items()}
        return {}

    def _saved_tensor(self, name: str, value: Any) -> torch.Tensor:
        if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.is_meta:
            raise ModelError(f"{self._name}: {name!r:.80} is no plain tensor: export plain tensors")
        if value.dtype not in _DTYPES.values():
            raise ModelError(f"{self._name}: {name!r:.80} is of {value.dtype}: export it as float32")
        # A stride of 0 repeats elements: a small file could ask for any amount of memory.
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ValueError
        return value.detach().contiguous()

    def _tensor(self, name: str, folder: str, entry: dict[str, Any]) -> torch.Tensor:
        if entry["use_pickle"] or entry["tensor_meta"] is None:
            raise ModelError(
                f"{self._name}: {name!r:.80} is pickled, which could run code: export plain tensors"
            )
        meta = entry["tensor_meta"]
        dtype = dtype_of(meta["dtype"])
        content = self._bytes(folder + entry["path_name"])
        sizes, strides = _ints(meta["sizes"]), _ints(meta["strides"])
        offset = _int(meta["storage_offset"])
        flat = torch.frombuffer(bytearray(content), dtype=dtype) if content else torch.empty(0, dtype=dtype)
        count, reach = 1, offset
        for size, stride in zip(sizes, strides, strict=True):
            count *= size
            reach += max(size - 1, 0) * stride
        if min((*sizes, *strides, offset)) < 0 or count > len(flat) or (count and reach >= len(flat)):
            raise ValueError
        return flat.as_strided(sizes, strides, offset).contiguous()

    def _json(self, record: str) -> dict[str, Any]:
        if self._records[record].file_size > _JSON_LIMIT_BYTES:
            raise ModelError(f"{self._name}: {record} is larger than any network's graph")
        content = json.loads(self._bytes(record))
        if not isinstance(content, dict):
            raise TypeError
        return content

    def _bytes(self, record: str) -> bytes:
        return self._archive.read(self._records[record])


def _ints(values: list[Any]) -> list[int]:
    return [_int(value) for value in values]


def _int(value: dict[str, Any]) -> int:
    number = value["as_int"]
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError
    return number
