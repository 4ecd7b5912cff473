"""Exactness as a law of random networks: the integer reference is torch's answer within fixed point, exact
runs are the reference bit for bit, windowed ones follow their law, and values out of range are named.

PI_BENCH_FUZZ=N draws N times as many networks (`make fuzz`).
"""

from __future__ import annotations

import dataclasses
import itertools
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, event, example, given, reject, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from pi_bench.arithmetic.activation_law import WindowLaw
from pi_bench.errors import ModelError
from pi_bench.launch.verification import RunVerifier
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import ClampNode, Graph, InputNode, OutputNode, ScaleNode
from pi_bench.network.graph.check import check_graph
from pi_bench.network.graph.float_run import outputs
from pi_bench.network.program import Program, Weights
from pi_bench.network.program.codec import program_from_bytes, program_to_bytes
from pi_bench.network.program.fixed_point import decode_output, encode_input
from pi_bench.protocol import Party
from pi_bench.registry import find_protocol
from pi_bench.testing import MemoryRun
from tests.contract.conftest import run_protocol
from tests.laws.networks import Network, networks
from tests.laws.torch_graph import Evaluation, fixed_point_bound

FUZZ = int(os.environ.get("PI_BENCH_FUZZ", "1"))
BATCH = 3  # odd: a polynomial that holds two images has a last one with a single image


def law(count: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(max_examples=count * FUZZ, deadline=None, suppress_health_check=slow)


def compiled(network: Network) -> tuple[Program, Weights, np.ndarray]:
    """A program that a client would accept, the weights, and some encoded inputs."""
    check_graph(network.graph)
    try:
        program, weights = compile_graph(network.graph, CompileOptions(batch=BATCH))
    except ModelError as error:
        if "which 32-bit fixed point does not hold" not in str(error):
            raise
        event("a polynomial that 32 bits do not hold")
        reject()
    program = program_from_bytes(program_to_bytes(program))
    return program, weights, encode_input(program, network.inputs[:BATCH])


def verified(run: MemoryRun, program: Program, weights: Weights, mode: str, encoded: np.ndarray) -> None:
    verifier = RunVerifier(program, weights, WindowLaw(mode), encoded)
    verdict = verifier.verify(run.traces[Party.CLIENT].arrays, run.traces[Party.SERVER].arrays, run.output)
    assert verdict.failures == []


@law(100)
@given(networks())
def test_the_integer_network_is_the_float_one_within_fixed_point(network: Network) -> None:
    program, weights, encoded = compiled(network)
    expected = Evaluation(network.graph)(network.inputs)
    np.testing.assert_allclose(
        outputs(network.graph, network.inputs), expected, atol=1e-4 * max(1.0, float(np.abs(expected).max()))
    )
    run = run_reference(program, weights, encoded)
    assert run.out_of_range == []
    error = np.abs(decode_output(program, run.values[program.output.id]) - expected[:BATCH]).max()
    assert error <= fixed_point_bound(network.graph, network.inputs)


@law(28)
@given(networks(least=8), st.sampled_from([("exact", "windowed"), ("windowed", "exact")]))
def test_a_protocol_follows_the_law_of_its_mode_and_is_exact_bit_for_bit(
    network: Network, modes: tuple[str, str]
) -> None:
    """One protocol is exact and the other windowed, and `ideal` is exact."""
    program, weights, encoded = compiled(network)
    answer = run_reference(program, weights, encoded).values[program.output.id]
    for name, mode in (*zip(("delphi", "fss"), modes, strict=True), ("ideal", "exact")):
        (run,) = run_protocol(find_protocol(name), program, weights, [encoded], mode)
        verified(run, program, weights, mode, encoded)
        if mode == "exact":
            np.testing.assert_array_equal(run.output, answer, name)


SETTINGS = st.builds(
    CompileOptions,
    weight_bits=st.integers(2, 16),
    activation_bits=st.integers(2, 13),
    headroom_bits=st.sampled_from([1.0, 1.5, 2.0, 4.0, 8.0]),
    per_channel=st.booleans(),
    batch=st.just(BATCH),
)


LAYER_BITS = st.none() | st.lists(st.integers(2, 13), min_size=3, max_size=9)
"""Bits of activations by layer, one after another and again from the first; or the same for all."""


@law(40)
@given(networks(), SETTINGS, LAYER_BITS)
def test_every_setting_fits_its_windows_or_is_refused(
    network: Network, options: CompileOptions, layer_bits: list[int] | None
) -> None:
    if layer_bits is not None:
        names = (node.name for node in network.graph.nodes)
        chosen = dict(zip(names, itertools.cycle(layer_bits)))
        options = dataclasses.replace(options, layer_activation_bits=chosen)
    try:
        program, weights = compile_graph(network.graph, options)
    except ModelError as refused:
        event(f"refused: {refused}"[:60])
        assert "32-bit fixed point" in str(refused) or "2^31" in str(refused)
        return
    program = program_from_bytes(program_to_bytes(program))
    encoded = encode_input(program, network.inputs[:BATCH])
    reference = run_reference(program, weights, encoded)
    assert reference.out_of_range == []
    (run,) = run_protocol(find_protocol("ideal"), program, weights, [encoded], "exact")
    np.testing.assert_array_equal(run.output, reference.values[program.output.id])


def _clamped(low: float, high: float) -> Network:
    """A clamp whose lower bound is not 0: its window is that of a shifted value, twice as wide."""
    nodes = (
        InputNode("x", (), (18,)),
        ScaleNode("doubled", ("x",), (18,), factor=2.0, shift=0.0),
        ClampNode("clamp", ("doubled",), (18,), low=low, high=high),
        OutputNode("out", ("clamp",), (18,)),
    )
    ranges = {"x": 2.5, "doubled": 5.0, "clamp": high, "out": high}
    inputs = np.linspace(-2.5, 2.5, BATCH * 18, dtype=np.float32).reshape(BATCH, 18)
    return Network(Graph(nodes, {}, ranges=ranges, meta={"name": "drawn"}), inputs)


@law(60)
@given(networks())
@example(_clamped(1.0, 4.0))
@example(_clamped(-1.0, 4.0))
@example(_clamped(0.0, 4.0))
def test_values_out_of_their_range_are_told(network: Network) -> None:
    """Windows for a third of the real ranges: either every value fits all the same and the answer is right,
    or the layer is named."""
    graph = network.graph
    narrow = {name: size if name == "x" else size / 3 for name, size in graph.ranges.items()}
    program, weights, encoded = compiled(Network(dataclasses.replace(graph, ranges=narrow), network.inputs))
    run = run_reference(program, weights, encoded)
    event(f"out of range: {bool(run.out_of_range)}")
    if not run.out_of_range:
        expected = Evaluation(graph)(network.inputs[:BATCH])
        error = np.abs(decode_output(program, run.values[program.output.id]) - expected).max()
        assert error <= fixed_point_bound(graph, network.inputs)
