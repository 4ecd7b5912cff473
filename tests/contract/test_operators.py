"""Each operator from a torch module to a private inference: the same function all the way.

float torch ~ float graph ~ integer reference == every protocol in exact mode, and delphi in windowed mode
follows its law.
"""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

from pi_bench.arithmetic.activation_law import WINDOWED
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.reference import activation_reference, linear_reference, run_reference
from pi_bench.network.graph.float_run import calibrate, outputs
from pi_bench.network.program import Program, Weights
from pi_bench.network.program.codec import program_from_bytes, program_to_bytes
from pi_bench.network.program.fixed_point import decode_output, encode_input
from pi_bench.protocol import Party
from pi_bench.registry import find_protocol, protocol_names

torch = pytest.importorskip("torch")

from pi_bench.network.lowering import lower
from tests.operators import MODULES, prepared


@dataclasses.dataclass
class Case:
    program: Program
    weights: Weights
    inputs: np.ndarray  # encoded
    expected: np.ndarray  # float


@cache
def case(name: str) -> Case:
    module, x, expected = prepared(name)
    graph = lower(module, x[:1])
    np.testing.assert_allclose(outputs(graph, x.numpy()), expected.numpy(), rtol=1e-4, atol=1e-5)
    graph = dataclasses.replace(graph, ranges=calibrate(graph, x.numpy()))
    program, weights = compile_graph(graph, CompileOptions(batch=2))
    program = program_from_bytes(program_to_bytes(program))  # as a client would accept it
    return Case(program, weights, encode_input(program, x[:2].numpy()), expected[:2].numpy())


@pytest.mark.parametrize("name", MODULES)
def test_an_operator_computes_privately_what_the_module_computes(name: str, run) -> None:
    this = case(name)
    program, weights = this.program, this.weights
    reference = run_reference(program, weights, this.inputs)
    assert reference.out_of_range == []
    answer = reference.values[program.output.id]
    error = np.abs(decode_output(program, answer) - this.expected).max() / np.abs(this.expected).max()
    assert error < 0.02
    for info in map(find_protocol, protocol_names()):
        if "exact" in info.mode_names:
            (outcome,) = run(info, program, weights, [this.inputs], "exact")
            np.testing.assert_array_equal(outcome.output, answer, info.name)
    (outcome,) = run(find_protocol("delphi"), program, weights, [this.inputs], "windowed")
    shares = outcome.traces[Party.CLIENT].arrays
    values = {op.id: outcome.value(f"a:{op.id}") for op in program.source_ops}
    for linear in program.linear_ops:
        values[linear.id] = outcome.value(f"x:{linear.id}")
        np.testing.assert_array_equal(values[linear.id], linear_reference(linear, values, weights))
    for op in program.activation_ops:
        expected = activation_reference(op, values[op.source], shares[f"x:{op.source}"], WINDOWED)
        np.testing.assert_array_equal(values[op.id], expected)
