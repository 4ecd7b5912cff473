"""A flat container for metadata and arrays, which the parties, the launcher and files exchange.

Layout (little endian): magic ``PIBC`` | u16 version | u16 zero | u32 header bytes | header (UTF-8
JSON, canonical: sorted keys, no spaces) | arrays, each starting at a multiple of 64 bytes from the
start. The header is ``{"meta": …, "arrays": [[name, dtype, shape, offset, byte_count], …]}``.

A container cannot carry code. `decode` validates every field against the buffer before it makes an array. The
arrays are views of the buffer, so a hostile header cannot cause an allocation.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

_MAGIC = b"PIBC"
_VERSION = 1
_PREFIX = struct.Struct("<4sHHI")
_ALIGNMENT = 64
_DTYPES = frozenset({"|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8"})
_MAX_RANK = 8


class CodecError(ValueError):
    """Reports bytes that are not a container of this version, or an array that no container can hold.

    >>> encode({}, {"half": np.zeros(2, np.float16)})
    Traceback (most recent call last):
    pi_bench.codec.CodecError: array 'half' has dtype float16, which the container cannot hold
    """


def encode(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Writes a container of `meta`, which has JSON values only, and of little-endian numeric `arrays`.

    Equal content gives equal bytes. So a digest of the bytes is a digest of the content.

    >>> data = encode({"name": "tiny"}, {"weight": np.ones((2, 3), np.float32)})
    >>> data[:4]
    b'PIBC'

    Raises:
        CodecError: an array has a dtype that the container cannot hold.
        ValueError: `meta` has a number that JSON does not have, such as NaN.
        TypeError: `meta` has another value that JSON does not have.
    """
    contiguous = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    entries: list[list[Any]] = []
    offset = 0
    for name, array in contiguous.items():
        if array.dtype.str not in _DTYPES:
            raise CodecError(f"array {name!r} has dtype {array.dtype}, which the container cannot hold")
        entries.append([name, array.dtype.str, list(arrays[name].shape), offset, array.nbytes])
        offset += aligned_bytes(array.nbytes)
    header = json.dumps(
        {"meta": meta, "arrays": entries}, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()
    prefix = _PREFIX.pack(_MAGIC, _VERSION, 0, len(header)) + header
    parts: list[bytes | memoryview] = [prefix, bytes(_data_start(len(header)) - len(prefix))]
    for array in contiguous.values():  # joined at the end: large arrays are copied once
        parts.append(array.reshape(-1).view(np.uint8).data)
        parts.append(bytes(-array.nbytes % _ALIGNMENT))
    return b"".join(parts)


def decode(
    data: bytes | bytearray | memoryview, *, max_header_bytes: int | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Reads a container and returns `meta` and the arrays, which are read-only views of `data`.

    A header takes up to 30 times its size in memory. So `max_header_bytes` should bound it if the bytes come
    from another party.

    >>> meta, arrays = decode(encode({"name": "tiny"}, {"weight": np.ones((2, 3), np.float32)}))
    >>> meta, arrays["weight"].shape
    ({'name': 'tiny'}, (2, 3))

    Raises:
        CodecError: the bytes are not a valid container. No other error is raised, whatever the bytes are.
    """
    view = memoryview(data).cast("B")
    if len(view) < _PREFIX.size:
        raise CodecError("shorter than a container's prefix")
    magic, version, reserved, header_bytes = _PREFIX.unpack_from(view)
    if magic != _MAGIC:
        raise CodecError("not a container (wrong magic)")
    if version != _VERSION or reserved != 0:
        raise CodecError(f"container version {version}, this program reads version {_VERSION}")
    if max_header_bytes is not None and header_bytes > max_header_bytes:
        raise CodecError(f"its header has {header_bytes} bytes where at most {max_header_bytes} are allowed")
    start = _data_start(header_bytes)
    if _PREFIX.size + header_bytes > len(view):
        raise CodecError("truncated in the header")
    try:
        header = json.loads(bytes(view[_PREFIX.size : _PREFIX.size + header_bytes]).decode())
    except (ValueError, RecursionError) as error:
        raise CodecError("header is not JSON") from error
    if not isinstance(header, dict) or set(header) != {"meta", "arrays"}:
        raise CodecError("header has the wrong fields")
    meta, entries = header["meta"], header["arrays"]
    if not isinstance(meta, dict) or not isinstance(entries, list):
        raise CodecError("header has the wrong types")
    arrays: dict[str, np.ndarray] = {}
    for entry in entries:
        name, array = _decode_array(entry, view, start)
        if name in arrays:
            raise CodecError(f"array {name!r} appears twice")
        arrays[name] = array
    return meta, arrays


def aligned_bytes(byte_count: int) -> int:
    """Rounds a size up to whole cache lines of 64 bytes, so that the next array begins at one.

    >>> [aligned_bytes(size) for size in (0, 1, 64, 65)]
    [0, 64, 64, 128]
    """
    return -(-byte_count // _ALIGNMENT) * _ALIGNMENT


def _data_start(header_bytes: int) -> int:
    return aligned_bytes(_PREFIX.size + header_bytes)


def _decode_array(entry: Any, view: memoryview, start: int) -> tuple[str, np.ndarray]:
    if not isinstance(entry, list) or len(entry) != 5:
        raise CodecError("array entry is malformed")
    name, dtype, shape, offset, byte_count = entry
    if not isinstance(name, str) or not isinstance(dtype, str) or dtype not in _DTYPES:
        raise CodecError("array entry has a wrong name or dtype")
    if not isinstance(shape, list) or len(shape) > _MAX_RANK or not all(_is_count(d) for d in shape):
        raise CodecError(f"array {name!r} has an impossible shape")
    if not _is_count(offset) or not _is_count(byte_count):
        raise CodecError(f"array {name!r} has an impossible extent")
    if math.prod(shape) * np.dtype(dtype).itemsize != byte_count:
        raise CodecError(f"array {name!r}: shape and byte count differ")
    if start + offset + byte_count > len(view) or offset % _ALIGNMENT:
        raise CodecError(f"array {name!r} lies outside the container")
    try:
        array = np.frombuffer(view[start + offset : start + offset + byte_count], dtype=dtype).reshape(shape)
    except ValueError as error:  # numpy refuses an empty array whose other dimensions are too large
        raise CodecError(f"array {name!r} has an impossible shape") from error
    array.flags.writeable = False
    return name, array


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48
