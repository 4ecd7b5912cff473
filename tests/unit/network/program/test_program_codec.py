"""Programs to bytes and back; hostile bytes and hostile fields."""

import copy
import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench import codec
from pi_bench.errors import PeerError
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    ConvNode,
    FlattenNode,
    Graph,
    InputNode,
    LinearNode,
    OutputNode,
    ReluNode,
)
from pi_bench.network.program import (
    ActivationGroup,
    ActivationKind,
    ActivationOp,
    ElementMap,
    LinearOp,
    LinearTerm,
    OutputOp,
    Program,
    derived_values,
)
from pi_bench.network.program.codec import program_digest, program_from_bytes, program_to_bytes
from tests.contract.term_program import term_program


def small_program() -> Program:
    rng = np.random.default_rng(0)
    nodes = (
        InputNode("x", (), (2, 4, 4)),
        ConvNode("c0", ("x",), (2, 4, 4), "w0", "b0", (1, 1), (1, 1)),
        ReluNode("r", ("c0",), (2, 4, 4), "mask"),
        ConvNode("c1", ("r",), (2, 2, 2), "w1", None, (2, 2), (0, 0)),
        AvgPoolNode("p0", ("r",), (2, 2, 2), (2, 2), (2, 2), (0, 0)),
        AddNode("sum", ("c1", "p0"), (2, 2, 2)),
        ReluNode("r1", ("sum",), (2, 2, 2)),
        FlattenNode("f", ("r1",), (8,)),
        LinearNode("fc", ("f",), (3,), "w2", "b2"),
        OutputNode("out", ("fc",), (3,)),
    )
    shapes = {"w0": (2, 2, 3, 3), "b0": (2,), "w1": (2, 2, 1, 1), "w2": (3, 8), "b2": (3,)}
    parameters = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    mask = np.arange(32).reshape(2, 4, 4) % 3 == 0
    ranges = {node.name: 3.0 for node in nodes}
    graph = Graph(nodes, parameters, {"mask": mask}, ranges, ("a", "b", "c"), {"name": "tiny"})
    return compile_graph(graph, CompileOptions(batch=2))[0]


PROGRAM = small_program()
BYTES = program_to_bytes(PROGRAM)


def test_round_trip() -> None:
    again = program_from_bytes(bytearray(BYTES))
    assert program_to_bytes(again) == BYTES
    assert program_digest(again) == program_digest(PROGRAM)
    assert repr(again) == repr(PROGRAM)


def test_the_digest_sees_every_public_choice() -> None:
    digests = {program_digest(PROGRAM)}
    digests.add(program_digest(dataclasses.replace(PROGRAM, name="other")))
    activation = PROGRAM.activation_ops[0]
    groups = activation.groups
    assert groups[0].index is not None
    moved = dataclasses.replace(groups[0], index=groups[0].index + 1)
    changed = dataclasses.replace(activation, groups=(moved, *groups[1:]))
    ops = tuple(changed if op.id == activation.id else op for op in PROGRAM.ops)
    digests.add(program_digest(dataclasses.replace(PROGRAM, ops=ops)))
    assert len(digests) == 3


def first(kind: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda meta: next(op for op in meta["ops"] if op["op"] == kind)


def change(
    select: Callable[[dict[str, Any]], dict[str, Any]], **values: Any
) -> Callable[[dict[str, Any]], None]:
    return lambda meta: select(meta).update(values)


LINEAR, ACTIVATION, OUTPUT, INPUT = first("linear"), first("activation"), first("output"), first("input")


def term(meta: dict[str, Any]) -> dict[str, Any]:
    return LINEAR(meta)["terms"][0]  # type: ignore[no-any-return]


def weighted(meta: dict[str, Any]) -> dict[str, Any]:
    return term(meta)["weighted"]  # type: ignore[no-any-return]


HOSTILE: dict[str, Callable[[dict[str, Any]], None]] = {
    "version": lambda meta: meta.update(version=1),
    "format": lambda meta: meta.update(format="x"),
    "extra field": lambda meta: meta.update(extra=1),
    "no operators": lambda meta: meta.update(ops=[]),
    "reversed": lambda meta: meta["ops"].reverse(),
    "wide weights": lambda meta: meta.update(weight_bits=33),
    "labels": lambda meta: meta.update(labels=["a"]),
    "terminal codes": lambda meta: meta.update(labels=["a", "b", "\x1b[2J"]),
    "unknown kind": change(LINEAR, op="matmul"),
    "wrong id": change(LINEAR, id=7),
    "boolean id": change(LINEAR, id=True),
    "no terms": change(LINEAR, terms=[]),
    "wrong macs": change(LINEAR, mac_count=1),
    "huge shape": change(INPUT, shape=[1 << 20, 1 << 20]),
    "negative shape": change(INPUT, shape=[2, -2, 4, 4]),
    "empty shape": change(INPUT, shape=[2, 0, 4, 4]),
    "other batch": change(OUTPUT, shape=[1, 3]),
    "scale": change(INPUT, scale_bits=10**9),
    "bound": change(INPUT, bound=0),
    "bound of 10**400": change(INPUT, bound=10**400),
    "reads the future": change(term, source=2),
    "reads itself": change(term, source=1),
    "kernel": change(weighted, kernel=[9, 9]),
    "stride": change(weighted, stride=[0, 1]),
    "in shape": change(weighted, in_shape=[2, 3, 4, 4]),
    "unknown weights": change(weighted, op="sparse"),
    "same weights twice": change(LINEAR, bias="c0.weight"),
    "multiplier": change(term, multiplier=0),
    "both a multiplier and weights": change(term, multiplier=2),
    "local": change(term, local=[{"op": "subsample", "stride": [2, 2], "offset": [0, 0], "size": [2, 2]}]),
    "shifted beyond the channels": change(term, first_channel=1),
    "permuted batch": change(term, local=[{"op": "permute", "axes": [1, 0, 2, 3]}]),
    "axis twice": change(term, local=[{"op": "permute", "axes": [0, 1, 1, 3]}]),
    "too many channels": change(term, local=[{"op": "channel_slice", "first": 1, "count": 2}]),
    "no channels": change(term, local=[{"op": "channel_slice", "first": 0, "count": 0}]),
    "no windows": change(term, local=[{"op": "sum_windows", "rows": [], "columns": [[0, 4, 1]]}]),
    "window outside": change(
        term, local=[{"op": "sum_windows", "rows": [[0, 5, 1]], "columns": [[0, 4, 1]]}]
    ),
    "empty window": change(term, local=[{"op": "sum_windows", "rows": [[2, 2, 1]], "columns": [[0, 4, 1]]}]),
    "window without factor": change(term, local=[{"op": "sum_windows", "rows": [[0, 4]], "columns": []}]),
    "many rows": change(
        term, local=[{"op": "subsample", "stride": [1, 1], "offset": [0, 0], "size": [4, 1 << 24]}]
    ),
    "groups": change(weighted, groups=3),
    "no groups of channels": change(weighted, groups=0),
    "dilation": change(weighted, dilation=[1, 9]),
    "dilated by zero": change(weighted, dilation=[0, 1]),
    "weights on a product": lambda meta: meta["ops"][3]["terms"][0].update(source=1),
    "nothing truncated": change(ACTIVATION, truncate_bits=0),
    "window": change(ACTIVATION, window_bits=3, truncate_bits=5),
    "truncation": change(ACTIVATION, truncate_bits=1),
    "no groups": change(ACTIVATION, groups=[]),
    "group kind": lambda meta: ACTIVATION(meta)["groups"][0].update(kind="gelu"),
    "group count": lambda meta: ACTIVATION(meta)["groups"][0].update(count=1),
    "group index": lambda meta: ACTIVATION(meta)["groups"][0].update(indexed=False),
    "activation of an activation": change(ACTIVATION, source=0),
    "output scale": change(OUTPUT, scale_bits=1),
}


def identities(rows: int, count: int) -> Program:
    """`count` ReLUs in a row, 1024 columns wide: no weights, a few bytes of program each."""
    shape = (1, 1, rows, 1 << 10)
    ops: list[Any] = [dataclasses.replace(PROGRAM.input, shape=shape, scale_bits=count)]
    for scale_bits in range(count, 0, -1):
        term = LinearTerm(ops[-1].id, (), None, 1, np.zeros(1, np.uint8))
        x = LinearOp(len(ops), "x", shape, scale_bits, (term,), None, 0)
        group = ActivationGroup(ActivationKind.RELU, rows << 10, None)
        ops += [x, ActivationOp(x.id + 1, "y", shape, scale_bits - 1, x.id, (group,), 1, 20, 1.0)]
    ops.append(OutputOp(len(ops), "out", shape, ops[-2].id, 1))
    return dataclasses.replace(PROGRAM, ops=tuple(ops), labels=())


def test_a_few_bytes_cannot_ask_for_any_amount_of_memory() -> None:
    small, large = (program_to_bytes(identities(1 << 14, count)) for count in (7, 8))
    assert len(large) < 8000
    program_from_bytes(small)
    with pytest.raises(PeerError, match="elements"):
        program_from_bytes(large)


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_fields_are_refused(case: str) -> None:
    meta, arrays = codec.decode(BYTES)
    meta = copy.deepcopy(meta)
    HOSTILE[case](meta)
    with pytest.raises(PeerError):
        program_from_bytes(codec.encode(meta, arrays))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("1.shift.0", np.full(2, 32, np.uint8)),
        ("1.shift.0", np.zeros(3, np.uint8)),
        ("1.shift.0", np.zeros(2, np.int64)),
        ("2.index.0", np.full(22, 63, np.int64)),
        ("2.index.0", np.arange(22, dtype=np.int64)),
        ("2.index.0", np.arange(43, 65, dtype=np.int64)),
        ("unknown", np.zeros(1, np.uint8)),
    ],
)
def test_hostile_arrays_are_refused(name: str, array: np.ndarray) -> None:
    meta, arrays = codec.decode(BYTES)
    assert arrays["2.index.0"].shape == (22,)
    with pytest.raises(PeerError):
        program_from_bytes(codec.encode(meta, {**arrays, name: array}))


SCALED = dataclasses.replace(
    PROGRAM, ops=(dataclasses.replace(PROGRAM.input, channel_bits=np.uint8([0, 5])), *PROGRAM.ops[1:])
)


def test_factors_of_input_channels_make_the_round_trip() -> None:
    again = program_from_bytes(program_to_bytes(SCALED))
    assert again.input.channel_bits is not None and again.input.channel_bits.tolist() == [0, 5]
    assert program_digest(again) == program_digest(SCALED) != program_digest(PROGRAM)


@pytest.mark.parametrize("bits", [np.uint8([0]), np.uint8([0, 32]), np.int64([0, 5]), np.uint8([[0, 5]])])
def test_hostile_factors_of_input_channels_are_refused(bits: np.ndarray) -> None:
    meta, arrays = codec.decode(program_to_bytes(SCALED))
    for changed in ({**arrays, "0.bits": bits}, {name: arrays[name] for name in arrays if name != "0.bits"}):
        with pytest.raises(PeerError):
            program_from_bytes(codec.encode(meta, changed))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from leaves(item, (*path, key))


PATHS = [path for path in leaves(codec.decode(BYTES)[0]) if path]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.just([]),
    st.just({}),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PATHS), JUNK)
def test_any_field_replaced_by_anything_never_crashes(path: tuple[Any, ...], junk: Any) -> None:
    meta, arrays = codec.decode(BYTES)
    meta = copy.deepcopy(meta)
    owner: Any = meta
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = junk
    try:
        data = codec.encode(meta, arrays)
    except UnicodeEncodeError:
        return
    try:
        program = program_from_bytes(data)
    except PeerError:
        return
    assert program_to_bytes(program) == data


def test_padding_counts_as_elements() -> None:
    meta, arrays = codec.decode(BYTES)
    pool = {"op": "sum_pool", "kernel": [8196, 8196], "stride": [1, 1], "padding": [4096] * 4}
    term(meta)["local"] = [pool]
    with pytest.raises(PeerError, match="elements"):
        program_from_bytes(codec.encode(meta, arrays))


@pytest.mark.parametrize("shape", [[1 << 47, 1 << 47, 0], [0, 1 << 47, 1 << 40]])
def test_an_empty_array_of_impossible_shape_is_refused(shape: list[int]) -> None:
    """numpy refuses these only when it makes the array."""
    as_sent = json.dumps([0, 1]).replace(" ", "").encode()
    data = codec.encode({}, {"a": np.zeros((0, 1), np.uint8)}).rstrip(b"\0")
    header = data[12:].replace(as_sent, json.dumps(shape).replace(" ", "").encode())
    with pytest.raises(codec.CodecError):
        codec.decode(data[:8] + len(header).to_bytes(4, "little") + header.ljust(256, b"\0"))


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(st.integers(0, len(BYTES) - 1), st.integers(1, 255), st.booleans())
def test_any_byte_changed_or_cut_never_crashes(position: int, flip: int, cut: bool) -> None:
    data = bytearray(BYTES)
    data[position] ^= flip
    try:
        program = program_from_bytes(data[:position] if cut else data)
    except PeerError:
        return
    assert program_digest(program) != program_digest(PROGRAM)


def test_every_kind_of_term_makes_the_round_trip() -> None:
    program, _ = term_program()
    data = program_to_bytes(program)
    again = program_from_bytes(data)
    assert repr(again) == repr(program) and program_to_bytes(again) == data
    assert derived_values(program) == {0, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16}
    assert program.square_count == program.product_count == 2 * 4 * 6


HOSTILE_PRODUCTS: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "of a value under encryption": lambda ops: ops[16].update(left=1),
    "of a later value": lambda ops: ops[16].update(left=16),
    "of values in the wrong order": lambda ops: ops[16].update(left=15, right=11),
    "of a linear value": lambda ops: ops[16].update(right=14),
    "of the input with itself": lambda ops: ops[16].update(left=0, right=0),
    "of other shapes": lambda ops: ops[16].update(left=7),
    "at another scale": lambda ops: ops[16].update(scale_bits=15),
    "of nothing": lambda ops: ops[16].update(left=99, right=99),
    "channel that is not there": lambda ops: ops[13]["terms"][0]["local"][0].update(channels=[4, 0, 0, 0]),
    "channel below none": lambda ops: ops[13]["terms"][0]["local"][0].update(channels=[-2, 0, 0, 0]),
    "no channels": lambda ops: ops[13]["terms"][0]["local"][0].update(channels=[]),
    "more channels": lambda ops: ops[13]["terms"][0]["local"][0].update(channels=[0] * 5),
    "too many channels": lambda ops: ops[13]["terms"][0]["local"][0].update(channels=[0] * (1 << 17)),
}


def _element_map() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    program, _ = term_program()
    ops = list(program.ops)
    picked = ops[13]
    taken = ElementMap(np.array([3, -1, 0, 0] * (math.prod(picked.shape[1:]) // 4), np.int32), picked.shape)
    term = dataclasses.replace(picked.terms[0], local=(taken,))
    ops[13] = dataclasses.replace(picked, terms=(term, *picked.terms[1:]))
    program = dataclasses.replace(program, ops=tuple(ops))
    data = program_to_bytes(program)
    assert program_to_bytes(program_from_bytes(data)) == data
    return codec.decode(data)


HOSTILE_MAPS: dict[str, Callable[[dict[str, Any], dict[str, np.ndarray]], Any]] = {
    "element that is not there": lambda local, arrays: arrays["13.positions.0.0"].put(0, 1 << 20),
    "element below none": lambda local, arrays: arrays["13.positions.0.0"].put(0, -2),
    "no positions": lambda local, arrays: arrays.pop("13.positions.0.0"),
    "positions of another type": lambda local, arrays: arrays.update(
        {"13.positions.0.0": arrays["13.positions.0.0"].astype(np.int64)}
    ),
    "fewer positions": lambda local, arrays: arrays.update(
        {"13.positions.0.0": arrays["13.positions.0.0"][1:]}
    ),
    "positions of another operator": lambda local, arrays: arrays.update(
        {"13.positions.0.1": np.zeros(4, np.int32)}
    ),
    "another batch": lambda local, arrays: local.update(shape=[1, *local["shape"][1:]]),
    "more fields": lambda local, arrays: local.update(channels=[0]),
}


@pytest.mark.parametrize("case", HOSTILE_MAPS)
def test_hostile_maps_of_elements_are_refused(case: str) -> None:
    meta, arrays = _element_map()
    meta, arrays = copy.deepcopy(meta), {name: array.copy() for name, array in arrays.items()}
    HOSTILE_MAPS[case](meta["ops"][13]["terms"][0]["local"][0], arrays)
    with pytest.raises(PeerError):
        program_from_bytes(codec.encode(meta, arrays))


@pytest.mark.parametrize("case", HOSTILE_PRODUCTS)
def test_hostile_products_and_channel_maps_are_refused(case: str) -> None:
    meta, arrays = codec.decode(program_to_bytes(term_program()[0]))
    meta = copy.deepcopy(meta)
    HOSTILE_PRODUCTS[case](meta["ops"])
    with pytest.raises(PeerError):
        program_from_bytes(codec.encode(meta, arrays))
