"""Converts the public program to canonical bytes, which the server sends in the handshake, and back.

Decoding trusts nothing. Every field is checked for type and bounds, operators for order, and shapes for
agreement from operator to operator, so that a client can allocate memory and compute by the program.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pi_bench import codec
from pi_bench.errors import PeerError
from pi_bench.network.program import (
    ActivationGroup,
    ActivationKind,
    ActivationOp,
    ElementMap,
    InputOp,
    LinearOp,
    LinearTerm,
    MultiplyOp,
    Op,
    OutputOp,
    Program,
)
from pi_bench.network.program.check import check_program
from pi_bench.network.program.codec_operators import (
    local_from_fields,
    operator_to_fields,
    weighted_from_fields,
)
from pi_bench.network.program.fields import MAX_DIMENSION, FieldError, Fields

_FORMAT = "pi-bench program"
_VERSION = 3

MAX_OPS = 1 << 12
"""Operators that a program may have; the deepest networks in use have some hundreds."""

MAX_HEADER_BYTES = 4 << 20
"""Bytes of everything but arrays: 1,024 per operator, of which real networks take some 400 in the mean."""


def program_digest(program: Program) -> str:
    """Computes the SHA-256 of the canonical bytes, in hex; it names the public architecture.

    >>> double = LinearTerm(0, (), None, multiplier=2, shift_bits=np.zeros(4, np.uint8))
    >>> linear = LinearOp(1, "double", (1, 4), 12, (double,), None, 0)
    >>> ops = InputOp(0, "input", (1, 4), 12, bound=4.0), linear, OutputOp(2, "output", (1, 4), 1, 12)
    >>> len(program_digest(Program("tiny", ops, weight_bits=10, labels=())))
    64
    """
    return hashlib.sha256(program_to_bytes(program)).hexdigest()


def program_to_bytes(program: Program) -> bytes:
    """Converts a program to its canonical bytes; equal programs give equal bytes.

    >>> double = LinearTerm(0, (), None, multiplier=2, shift_bits=np.zeros(4, np.uint8))
    >>> linear = LinearOp(1, "double", (1, 4), 12, (double,), None, 0)
    >>> ops = InputOp(0, "input", (1, 4), 12, bound=4.0), linear, OutputOp(2, "output", (1, 4), 1, 12)
    >>> data = program_to_bytes(Program("tiny", ops, weight_bits=10, labels=()))
    >>> program_from_bytes(data).name
    'tiny'
    """
    arrays: dict[str, np.ndarray] = {}
    ops = [_op_to_fields(op, arrays) for op in program.ops]
    meta = {
        "format": _FORMAT,
        "version": _VERSION,
        "name": program.name,
        "weight_bits": program.weight_bits,
        "labels": list(program.labels),
        "ops": ops,
    }
    return codec.encode(meta, arrays)


def program_from_bytes(data: bytes | bytearray | memoryview) -> Program:
    """Converts bytes from a peer to a program; the inverse of `program_to_bytes`.

    Raises:
        PeerError: the bytes are no sound program. No other exception is raised.

    >>> program_from_bytes(b"")
    Traceback (most recent call last):
    pi_bench.errors.PeerError: the server's program cannot be used: ...
    """
    try:
        data = bytes(data)  # the arrays are views: nobody may change them later
        meta, arrays = codec.decode(data, max_header_bytes=MAX_HEADER_BYTES)
        top = Fields(meta, {"format", "version", "name", "weight_bits", "labels", "ops"}, "program")
        if meta["format"] != _FORMAT or meta["version"] != _VERSION:
            raise FieldError(f"it is {meta['format']!r:.40} version {meta['version']!r:.20}")
        program = Program(
            name=top.text("name"),
            ops=tuple(_op_from_fields(fields, arrays) for fields in top.items("ops", MAX_OPS)),
            weight_bits=top.integer("weight_bits", 2, 16),
            labels=tuple(top.texts("labels", 1 << 16)),
        )
        check_program(program)
        if program_to_bytes(program) != data:
            raise FieldError("its bytes are not the canonical ones, so its digest would mean nothing")
    except (codec.CodecError, FieldError) as error:
        raise PeerError(f"the server's program cannot be used: {error}") from error
    return program


def _op_to_fields(op: Op, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": op.id,
        "name": op.name,
        "shape": list(op.shape),
        "scale_bits": op.scale_bits,
    }
    if isinstance(op, InputOp):
        if op.channel_bits is None:
            return {"op": "input", **fields, "bound": op.bound}
        arrays[f"{op.id}.bits"] = op.channel_bits
        return {"op": "scaled_input", **fields, "bound": op.bound}
    if isinstance(op, OutputOp):
        return {"op": "output", **fields, "source": op.source}
    if isinstance(op, MultiplyOp):
        return {"op": "multiply", **fields, "left": op.left, "right": op.right}
    if isinstance(op, LinearOp):
        terms = []
        for i, term in enumerate(op.terms):
            arrays[f"{op.id}.shift.{i}"] = term.shift_bits
            for j, local in enumerate(term.local):
                if isinstance(local, ElementMap):
                    arrays[f"{op.id}.positions.{i}.{j}"] = local.positions
            terms.append(
                {
                    "source": term.source,
                    "local": [operator_to_fields(local) for local in term.local],
                    "weighted": None if term.weighted is None else operator_to_fields(term.weighted),
                    "multiplier": term.multiplier,
                    "first_channel": term.first_channel,
                }
            )
        return {"op": "linear", **fields, "terms": terms, "bias": op.bias, "mac_count": op.mac_count}
    groups = []
    for i, group in enumerate(op.groups):
        if group.index is not None:
            arrays[f"{op.id}.index.{i}"] = group.index
        groups.append({"kind": group.kind.value, "count": group.count, "indexed": group.index is not None})
    return {
        "op": "activation",
        **fields,
        "source": op.source,
        "groups": groups,
        "truncate_bits": op.truncate_bits,
        "window_bits": op.window_bits,
        "headroom_bits": op.headroom_bits,
    }


_COMMON = {"op", "id", "name", "shape", "scale_bits"}
_OWN = {
    "input": {"bound"},
    "scaled_input": {"bound"},
    "output": {"source"},
    "linear": {"terms", "bias", "mac_count"},
    "multiply": {"left", "right"},
    "activation": {"source", "groups", "truncate_bits", "window_bits", "headroom_bits"},
}


def _op_from_fields(value: Any, arrays: dict[str, np.ndarray]) -> Op:
    kind = value.get("op") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _OWN:
        raise FieldError(f"an operator of the unknown kind {kind!r:.40}")
    fields = Fields(value, _COMMON | _OWN[kind], kind)
    op_id, name, shape = fields.integer("id", 0, 1 << 14), fields.text("name"), fields.shape("shape")
    scale_bits = fields.integer("scale_bits", -64, 64)
    if kind == "input":
        return InputOp(op_id, name, shape, scale_bits, fields.number("bound"))
    if kind == "scaled_input":
        bits = _bits(arrays.get(f"{op_id}.bits"), "an input has no factors of its channels")
        return InputOp(op_id, name, shape, scale_bits, fields.number("bound"), bits)
    if kind == "output":
        return OutputOp(op_id, name, shape, fields.integer("source", 0, 1 << 14), scale_bits)
    if kind == "multiply":
        left, right = (fields.integer(factor, 0, 1 << 14) for factor in ("left", "right"))
        return MultiplyOp(op_id, name, shape, scale_bits, left, right)
    if kind == "linear":
        terms = tuple(
            _term_from_fields(item, arrays, op_id, i) for i, item in enumerate(fields.items("terms", 1 << 10))
        )
        bias = fields.optional_text("bias")
        return LinearOp(op_id, name, shape, scale_bits, terms, bias, fields.integer("mac_count", 0, 1 << 53))
    groups = tuple(
        _group_from_fields(item, arrays.get(f"{op_id}.index.{i}"))
        for i, item in enumerate(fields.items("groups", 2))
    )
    return ActivationOp(
        id=op_id,
        name=name,
        shape=shape,
        scale_bits=scale_bits,
        source=fields.integer("source", 0, 1 << 14),
        groups=groups,
        truncate_bits=fields.integer("truncate_bits", 0, 30),
        window_bits=fields.integer("window_bits", 2, 31),
        headroom_bits=fields.number("headroom_bits"),
    )


def _bits(array: np.ndarray | None, otherwise: str) -> np.ndarray:
    if array is None or array.dtype != np.uint8 or array.ndim != 1:
        raise FieldError(otherwise)
    return array


def _term_from_fields(value: Any, arrays: dict[str, np.ndarray], op_id: int, number: int) -> LinearTerm:
    fields = Fields(value, {"source", "local", "weighted", "multiplier", "first_channel"}, "term")
    shift_bits = _bits(arrays.get(f"{op_id}.shift.{number}"), "a term has no shifts")
    return LinearTerm(
        source=fields.integer("source", 0, 1 << 14),
        local=tuple(
            local_from_fields(item, arrays.get(f"{op_id}.positions.{number}.{i}"))
            for i, item in enumerate(fields.items("local", 16))
        ),
        weighted=None if value["weighted"] is None else weighted_from_fields(value["weighted"]),
        multiplier=fields.integer("multiplier", -(1 << 16), 1 << 16),
        shift_bits=shift_bits,
        first_channel=fields.integer("first_channel", 0, MAX_DIMENSION),
    )


def _group_from_fields(value: Any, index: np.ndarray | None) -> ActivationGroup:
    fields = Fields(value, {"kind", "count", "indexed"}, "group")
    if value["kind"] not in tuple(ActivationKind) or value["indexed"] is not (index is not None):
        raise FieldError("a group of elements is malformed")
    if index is not None and (index.dtype != np.int64 or index.ndim != 1):
        raise FieldError("a group's index is malformed")
    return ActivationGroup(ActivationKind(value["kind"]), fields.integer("count", 1, 1 << 40), index)
