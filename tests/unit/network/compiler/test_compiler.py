"""Rules of the compiler on small graphs, and the integer network against the float one."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.errors import ModelError, UsageError
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ConvNode,
    FlattenNode,
    Graph,
    IdentityNode,
    InputNode,
    LinearNode,
    Node,
    OutputNode,
    ReluNode,
)
from pi_bench.network.graph.float_run import calibrate, outputs
from pi_bench.network.program import (
    ActivationKind,
    InputOp,
    LinearOp,
    OutputOp,
    Program,
    Reshape,
    Subsample,
    SumPool,
    Weights,
)
from pi_bench.network.program.fixed_point import decode_output, encode_input


class Builder:
    """Small graphs on maps of 4 channels, 8 by 8; every method returns the new node's name."""

    def __init__(self, seed: int = 0, features: int | None = None) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Node] = [InputNode("x", (), (4, 8, 8) if features is None else (features,))]
        self.parameters: dict[str, np.ndarray] = {}
        self.masks: dict[str, np.ndarray] = {}

    def shape(self, name: str) -> tuple[int, ...]:
        return next(node.shape for node in self.nodes if node.name == name)

    def draw(self, name: str, *shape: int, scale: float = 1.0) -> str:
        self.parameters[name] = (scale * self.rng.standard_normal(shape)).astype(np.float32)
        return name

    def append(self, node: Node) -> str:
        self.nodes.append(node)
        return node.name

    def conv(
        self, name: str, source: str, *, out: int = 4, kernel: int = 3, stride: int = 1, bias: bool = True
    ) -> str:
        channels, height, width = self.shape(source)
        pad = kernel // 2
        weight = self.draw(
            f"{name}.w", out, channels, kernel, kernel, scale=1 / math.sqrt(channels * kernel**2)
        )
        shape = (out, (height + 2 * pad - kernel) // stride + 1, (width + 2 * pad - kernel) // stride + 1)
        b = self.draw(f"{name}.b", out) if bias else None
        return self.append(ConvNode(name, (source,), shape, weight, b, (stride, stride), (pad, pad)))

    def norm(self, name: str, source: str) -> str:
        c = self.shape(source)[0]
        drawn = [self.draw(f"{name}.{part}", c) for part in "wbmv"]
        self.parameters[drawn[3]] = np.abs(self.parameters[drawn[3]]) + np.float32(0.5)
        return self.append(BatchNormNode(name, (source,), self.shape(source), *drawn, 1e-5))

    def relu(self, name: str, source: str, mask: np.ndarray | None = None) -> str:
        if mask is not None:
            self.masks[f"{name}.mask"] = mask
        key = None if mask is None else f"{name}.mask"
        return self.append(ReluNode(name, (source,), self.shape(source), key))

    def add(self, name: str, left: str, right: str) -> str:
        return self.append(AddNode(name, (left, right), self.shape(left)))

    def pool(self, name: str, source: str, kernel: int) -> str:
        c, height, width = self.shape(source)
        k = (kernel, kernel)
        return self.append(AvgPoolNode(name, (source,), (c, height // kernel, width // kernel), k, k, (0, 0)))

    def linear(self, name: str, source: str, out: int = 5) -> str:
        fan_in = math.prod(self.shape(source))
        if len(self.shape(source)) == 3:
            source = self.append(FlattenNode(f"{name}.flat", (source,), (fan_in,)))
        weight = self.draw(f"{name}.w", out, fan_in, scale=1 / math.sqrt(fan_in))
        return self.append(LinearNode(name, (source,), (out,), weight, self.draw(f"{name}.b", out)))

    def graph(self, last: str, labels: tuple[str, ...] = ()) -> Graph:
        self.append(OutputNode("out", (last,), self.shape(last)))
        graph = Graph(tuple(self.nodes), self.parameters, self.masks, labels=labels)
        return dataclasses.replace(graph, ranges=calibrate(graph, self.inputs(graph)))

    def inputs(self, graph: Graph, count: int = 16) -> np.ndarray:
        return self.rng.uniform(-2, 2, (count, *graph.input.shape)).astype(np.float32)


def worst_error(graph: Graph, program: Program, weights: Weights, x: np.ndarray) -> float:
    """Largest |integer network - float network| over the largest |float output|; nothing out of range."""
    expected = outputs(graph, x)
    error = 0.0
    batch = program.input.shape[0]
    for start in range(0, len(x), batch):
        run = run_reference(program, weights, encode_input(program, x[start : start + batch]))
        assert run.out_of_range == []
        y = decode_output(program, run.values[program.output.id])
        error = max(error, float(np.abs(y - expected[start : start + batch]).max()))
    return error / float(np.abs(expected).max())


def kinds(program: Program) -> list[str]:
    names = {InputOp: "input", LinearOp: "linear", OutputOp: "output"}
    return [
        names.get(type(op)) or "+".join(group.kind.value for group in op.groups)  # type: ignore[union-attr]
        for op in program.ops
    ]


def test_a_residual_block_is_one_sum_and_shares_its_source() -> None:
    b = Builder()
    top = b.relu("r0", b.norm("n0", b.conv("c0", "x")))
    body = b.norm("n2", b.conv("c2", b.relu("r1", b.norm("n1", b.conv("c1", top)))))
    graph = b.graph(b.linear("fc", b.pool("p", b.relu("r2", b.add("sum", body, top)), 8)))
    program, weights = compile_graph(graph)
    assert kinds(program) == ["input", *["linear", "relu"] * 3, "linear", "output"]
    total = program.linear_ops[2]
    assert [term.source for term in total.terms] == [4, 2]
    assert [term.weighted is not None for term in total.terms] == [True, False]
    assert total.name == "c2" and program.linear_ops[3].name == "fc"
    assert isinstance(program.linear_ops[3].terms[0].local[0], SumPool)  # the divisor is in the weights
    assert program.linear_ops[3].terms[0].multiplier == 1
    assert program.relu_count == 3 * 4 * 64 and program.truncation_count == 0
    assert program.linear_ops[0].mac_count == 4 * 64 * 4 * 9
    assert worst_error(graph, program, weights, b.inputs(graph)) < 0.02


def test_a_culled_block_truncates_once_for_all_readers() -> None:
    b = Builder()
    stem = b.conv("c0", "x")  # no ReLU: read by the next convolution and by the sum
    total = b.add("sum", b.conv("c1", stem), stem)
    graph = b.graph(b.linear("fc", b.conv("c2", total, stride=2)))
    program, weights = compile_graph(graph)
    assert kinds(program) == ["input", *["linear", "truncate"] * 3, "linear", "output"]
    assert [op.name for op in program.activation_ops] == ["c0", "sum", "c2"]
    assert program.relu_count == 0
    assert worst_error(graph, program, weights, b.inputs(graph)) < 0.02


def test_a_value_read_by_relu_and_by_a_sum_has_two_activations_of_one_linear() -> None:
    b = Builder()
    value = b.conv("c0", "x")
    graph = b.graph(b.add("sum", b.conv("c1", b.relu("r", value)), value))
    program, weights = compile_graph(graph)
    assert kinds(program) == ["input", "linear", "relu", "truncate", "linear", "output"]
    first, second = program.activation_ops
    assert first.source == second.source and set(weights) == {"c0.weight", "c0.bias", "c1.weight", "sum.bias"}
    assert worst_error(graph, program, weights, b.inputs(graph)) < 0.02


def test_identities_and_repeated_relus_vanish() -> None:
    b = Builder()
    value = b.append(IdentityNode("drop", (b.conv("c0", "x"),), (4, 8, 8)))
    value = b.relu("r1", b.append(IdentityNode("i", (b.relu("r0", value),), (4, 8, 8))))
    program, _ = compile_graph(b.graph(b.linear("fc", b.relu("r2", b.pool("p", value, 2)))))
    assert kinds(program) == ["input", "linear", "relu", "linear", "output"]


def test_masks_become_groups_over_the_batch() -> None:
    b = Builder()
    mask = np.zeros((4, 8, 8), np.bool_)
    mask[1, :, ::2] = True
    graph = b.graph(b.linear("fc", b.relu("r", b.conv("c", "x"), mask)))
    program, weights = compile_graph(graph, CompileOptions(batch=2))
    relu, rest = program.activation_ops[0].groups
    assert (relu.kind, relu.count, rest.kind, rest.count) == (
        ActivationKind.RELU,
        64,
        ActivationKind.TRUNCATE,
        448,
    )
    assert relu.index is not None and rest.index is not None
    assert relu.index.tolist() == np.flatnonzero(np.stack([mask, mask])).tolist()
    assert sorted([*relu.index, *rest.index]) == list(range(512))
    assert worst_error(graph, program, weights, b.inputs(graph)) < 0.02
    for value, kind in ((True, "relu"), (False, "truncate")):
        full = dataclasses.replace(graph, masks={"r.mask": np.full((4, 8, 8), value)})
        program, _ = compile_graph(full)
        assert kinds(program)[2] == kind and program.activation_ops[0].groups[0].index is None


def test_pool_divisors() -> None:
    b = Builder()
    graph = b.graph(b.pool("p", b.relu("r", b.conv("c", "x")), 4))  # 16 = 2**4: scale alone
    program, weights = compile_graph(graph)
    assert program.linear_ops[-1].terms[0].multiplier == 1
    assert program.linear_ops[-1].scale_bits == program.activation_ops[0].scale_bits + 4
    assert worst_error(graph, program, weights, b.inputs(graph)) < 0.02
    b = Builder()
    shape = (4, 2, 2)
    node = AvgPoolNode("p", (b.relu("r", b.conv("c", "x")),), shape, (3, 3), (3, 3), (0, 0))
    graph = b.graph(b.append(node))
    program, weights = compile_graph(graph)
    assert program.linear_ops[-1].terms[0].multiplier == round(2**12 / 9)  # 455 of at most 511
    assert worst_error(graph, program, weights, b.inputs(graph)) < 0.02


def test_pool_and_flatten_behind_weights_truncate_first() -> None:
    b = Builder()
    graph = b.graph(
        b.append(FlattenNode("f", (b.pool("p", b.conv("c", "x", out=6), 8),), (6,))), tuple("abcdef")
    )
    program, weights = compile_graph(graph)
    assert kinds(program) == ["input", "linear", "truncate", "linear", "output"]
    assert program.output.shape == (1, 6) and program.labels == tuple("abcdef")
    assert worst_error(graph, program, weights, b.inputs(graph)) < 0.02


def test_strided_pointwise_convolutions_subsample_first() -> None:
    b = Builder()
    graph = b.graph(b.conv("c", "x", kernel=1, stride=2))
    program, weights = compile_graph(graph)
    (term,) = program.linear_ops[0].terms
    assert term.local == (Subsample((2, 2), (0, 0), (4, 4)),)
    assert term.weighted is not None and term.weighted.in_shape == (1, 4, 4, 4)
    assert worst_error(graph, program, weights, b.inputs(graph)) < 0.02


def test_flattened_maps_feed_fully_connected_layers() -> None:
    b = Builder()
    graph = b.graph(b.linear("fc2", b.relu("r2", b.linear("fc1", b.relu("r", b.conv("c", "x"))))))
    program, weights = compile_graph(graph)
    assert program.linear_ops[1].terms[0].local == (Reshape((1, 256)),)
    assert weights["fc1.weight"].shape == (5, 256)
    assert worst_error(graph, program, weights, b.inputs(graph)) < 0.03


def test_scales_follow_the_range_of_the_result_and_windows_that_before_it() -> None:
    b = Builder()
    value = "x"
    for i in range(4):
        value = b.relu(f"r{i}", b.norm(f"n{i}", b.conv(f"c{i}", value)))
    graph = b.graph(b.linear("fc", value))
    program, weights = compile_graph(graph)
    for op in program.activation_ops:
        assert op.truncate_bits >= 1 and op.window_bits <= 29
        before = graph.ranges[op.name.replace("r", "n")]
        result = graph.ranges[op.name] or before  # the last ReLU never fires
        assert 2**9 < result * 2.0**op.scale_bits <= 2**10
        window_end = 2.0 ** (op.window_bits - op.truncate_bits - op.scale_bits)
        assert 2 * before <= window_end < 4 * before
        assert 1 <= op.headroom_bits < 2
    for op in program.linear_ops:
        for term in op.terms:
            assert term.weighted is not None
            integers = np.abs(weights[term.weighted.weight].astype(int)).reshape(op.shape[1], -1).max(axis=1)
            assert integers.max() <= 511
            if op.scale_bits < 24:  # not capped
                assert (integers >= 255).all()


def test_one_scale_per_tensor_on_request() -> None:
    b = Builder()
    graph = b.graph(b.linear("fc", b.relu("r", b.norm("n", b.conv("c", "x")))))
    one, _ = compile_graph(graph, CompileOptions(per_channel=False))
    many, _ = compile_graph(graph)
    assert all(len(set(term.shift_bits.tolist())) == 1 for op in one.linear_ops for term in op.terms)
    assert any(len(set(term.shift_bits.tolist())) > 1 for op in many.linear_ops for term in op.terms)


def test_compiling_is_deterministic() -> None:
    graph = Builder().graph("x")
    first, second = compile_graph(graph), compile_graph(graph)
    assert repr(first[0]) == repr(second[0])


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.lists(st.sampled_from(["conv", "relu", "add", "pool", "down"]), max_size=7)
)
def test_random_networks_stay_close_to_their_float_twins(seed: int, layers: list[str]) -> None:
    b = Builder(seed)
    value = b.relu("r", b.norm("n", b.conv("c", "x")))
    for i, layer in enumerate(layers):
        if layer == "conv":
            value = b.norm(f"n{i}", b.conv(f"c{i}", value))
        elif layer == "relu":
            value = b.relu(f"r{i}", value)
        elif layer == "add":
            value = b.add(f"a{i}", b.conv(f"c{i}", value), value)
        elif layer == "pool" and b.shape(value)[1] >= 2:
            value = b.pool(f"p{i}", value, 2)
        elif layer == "down":
            value = b.add(
                f"a{i}", b.conv(f"c{i}", value, stride=2), b.conv(f"s{i}", value, kernel=1, stride=2)
            )
    graph = b.graph(b.linear("fc", value))
    program, weights = compile_graph(graph)
    x = b.inputs(graph, 8)
    assert worst_error(graph, program, weights, x) < 0.05
    expected = outputs(graph, x)
    agreed = [
        int(
            np.argmax(
                run_reference(program, weights, encode_input(program, sample))
                .values[program.output.id]
                .view(np.int32)
            )
        )
        == int(np.argmax(row))
        for sample, row in zip(x, expected, strict=True)
    ]
    assert sum(agreed) >= 6


def test_ranges_that_do_not_fit_are_refused_by_name() -> None:
    b = Builder()
    graph = b.graph(b.add("sum", b.relu("r", b.conv("c", "x")), "x"))
    for name, value, message in (("x", 0.0, "all zero"), ("sum", 1e20, "'sum'")):
        broken = dataclasses.replace(graph, ranges={**graph.ranges, name: value})
        with pytest.raises(ModelError, match=message):
            compile_graph(broken)


def test_dead_layers_compile() -> None:
    b = Builder()
    value = b.conv("c", "x", bias=False)
    b.parameters["c.w"][:] = 0
    graph = b.graph(b.linear("fc", b.relu("r", value)))
    program, weights = compile_graph(graph)
    run = run_reference(program, weights, encode_input(program, b.inputs(graph, 1)))
    assert not run.out_of_range
    b2 = Builder()
    half = b2.conv("c", "x", bias=False)
    b2.parameters["c.w"][1] = 0
    graph = b2.graph(b2.linear("fc", b2.relu("r", half)))
    program, weights = compile_graph(graph)
    assert worst_error(graph, program, weights, b2.inputs(graph)) < 0.02


@pytest.mark.parametrize(
    "options",
    [{"weight_bits": 1}, {"weight_bits": 17}, {"headroom_bits": 0.5}, {"activation_bits": 28}, {"batch": 0}],
)
def test_impossible_options_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        CompileOptions(**options)  # type: ignore[arg-type]
