"""Equalization as a law of random networks: it changes no float answer, and it makes fixed point as exact for
channels that were scaled apart as it was before.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from pi_bench.network.equalization import equalize
from pi_bench.network.equalization.rescaling import rescale
from pi_bench.network.equalization.sharing import Sharing
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import Graph
from pi_bench.network.graph.check import check_graph
from pi_bench.network.graph.float_run import calibrate, outputs
from pi_bench.network.program.fixed_point import decode_output
from tests.laws.networks import Network, networks
from tests.laws.test_exactness import BATCH, compiled, law
from tests.laws.torch_graph import fixed_point_bound


def calibrated(graph: Graph, inputs: np.ndarray) -> Network:
    check_graph(graph, calibrated=False)
    return Network(dataclasses.replace(graph, ranges=calibrate(graph, inputs)), inputs)


@law(30)
@given(networks(), st.integers(0, 2**32 - 1))
def test_equalization_keeps_the_function_and_undoes_scales(network: Network, seed: int) -> None:
    graph, inputs = network.graph, network.inputs
    expected = outputs(graph, inputs)
    sharing = Sharing(graph)
    exponents = np.random.default_rng(seed).integers(-8, 9, sharing.count)
    exponents[sharing.public] = 0
    scaled = rescale(sharing, exponents)
    np.testing.assert_array_equal(outputs(scaled, inputs), expected)
    for unbalanced in (graph, scaled):
        equalized = calibrated(equalize(unbalanced, inputs), inputs)
        np.testing.assert_array_equal(outputs(equalized.graph, inputs), expected)
        program, weights, encoded = compiled(equalized)
        run = run_reference(program, weights, encoded)
        assert run.out_of_range == []
        error = np.abs(decode_output(program, run.values[program.output.id]) - expected[:BATCH]).max()
        assert error <= fixed_point_bound(graph, inputs)
