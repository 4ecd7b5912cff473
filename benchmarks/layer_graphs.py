"""Networks of a few layers as float graphs: 64 channels of 32x32 all along."""

from __future__ import annotations

import dataclasses

import numpy as np

from pi_bench.network.graph import ConvNode, Graph, InputNode, Node, OutputNode, ReluNode
from pi_bench.network.graph.float_run import calibrate

SHAPE = (64, 32, 32)


def layer_graph(*middle: str) -> Graph:
    """Returns a graph with random weights, calibrated with noise.

    Each of `middle` is "conv" (3x3, 64 to 64) or "relu".
    """
    generator = np.random.default_rng(7)
    nodes: list[Node] = [InputNode("input", (), SHAPE)]
    parameters = {}
    for number, kind in enumerate(middle):
        name, before = f"{kind}{number}", (nodes[-1].name,)
        if kind == "relu":
            nodes.append(ReluNode(name, before, SHAPE))
        else:
            nodes.append(ConvNode(name, before, SHAPE, f"{name}.weight", None, (1, 1), (1, 1)))
            weight = generator.normal(0, (2 / 576) ** 0.5, (64, 64, 3, 3))
            parameters[f"{name}.weight"] = weight.astype(np.float32)
    nodes.append(OutputNode("output", (nodes[-1].name,), SHAPE))
    graph = Graph(tuple(nodes), parameters, {}, meta={"name": "-".join(middle)})
    return dataclasses.replace(graph, ranges=calibrate(graph, generator.normal(size=(8, *SHAPE))))
