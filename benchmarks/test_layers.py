"""One layer at a time: online through both parties of delphi in this process, and linear ones alone.

The messages go through memory. Processes, sockets and the checksums of connections are not in these figures;
test_networks.py has them.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.layer_graphs import layer_graph
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.program import Program, Weights
from pi_bench.network.program.fixed_point import encode_input
from pi_bench.protocol import Party, ProtocolOptions
from pi_bench.registry import find_protocol
from pi_bench.testing import TwoParties

ROUNDS = 5


LAYERS = {
    "convolution": ("conv",),
    "convolution, ReLU": ("conv", "relu"),
    "convolution, truncation, convolution": ("conv", "conv"),
}


def _compiled(*middle: str) -> tuple[Program, Weights, np.ndarray]:
    program, weights = compile_graph(layer_graph(*middle), CompileOptions())
    noise = np.random.default_rng(1).normal(size=program.input.shape).clip(-2, 2)
    return program, weights, encode_input(program, noise)


@pytest.mark.parametrize("mode", ["windowed", "exact"])
@pytest.mark.parametrize("name", LAYERS)
def test_online(benchmark, name: str, mode: str) -> None:
    program, weights, encoded = _compiled(*LAYERS[name])
    options = ProtocolOptions(mode)
    with TwoParties(find_protocol("delphi"), program, weights, options) as parties:
        benchmark.pedantic(
            lambda material: parties.infer(material, encoded),
            setup=lambda: ((parties.preprocess(),), {}),
            rounds=ROUNDS,
            warmup_rounds=1,
        )
    predicted = find_protocol("delphi").predict(program, options)
    benchmark.extra_info.update(
        layer=name,
        mode=mode,
        relu_count=program.relu_count,
        truncation_count=program.truncation_count,
        mac_count=program.mac_count,
        rounds=len(program.activation_ops) + 1,
        online_bytes={party.value: predicted.online.get(party, 0) for party in Party},
        offline_bytes={party.value: predicted.offline.get(party, 0) for party in Party},
    )
