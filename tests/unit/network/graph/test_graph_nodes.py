"""Every kind of node through JSON and through checks; impossible ones are refused by name."""

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest

from pi_bench.errors import ModelError
from pi_bench.network.graph import (
    OPERATORS,
    AdaptiveAvgPoolNode,
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ClampNode,
    ConcatNode,
    ConvNode,
    FlattenNode,
    Graph,
    IdentityNode,
    InputNode,
    LeakyReluNode,
    LinearNode,
    MaxPoolNode,
    Node,
    OutputNode,
    PadNode,
    PermuteNode,
    PolynomialNode,
    PReluNode,
    ReluNode,
    ReshapeNode,
    ScaleNode,
    SliceNode,
    SubsampleNode,
    TakeNode,
    node_from_fields,
    node_to_fields,
)
from pi_bench.network.graph.check import check_graph


def every_node() -> Graph:
    nodes: list[Node] = [InputNode("x", (), (4, 6, 5))]

    def then(kind: type[Node], name: str, shape: tuple[int, ...], *fields: object, also: tuple = ()) -> None:
        nodes.append(kind(name, (nodes[-1].name, *also), shape, *fields))

    then(ConvNode, "conv", (6, 4, 4), "w", "b", (1, 1), (0, 1, 2, 0), (1, 1), 2)
    then(BatchNormNode, "bn", (6, 4, 4), None, None, "b", "v", 1e-5)
    then(ScaleNode, "scale", (6, 4, 4), -2.0, 0.5)
    then(ReluNode, "relu", (6, 4, 4), None)
    then(ClampNode, "clamp", (6, 4, 4), None, 2.0)
    then(LeakyReluNode, "leaky", (6, 4, 4), 0.1)
    then(PReluNode, "prelu", (6, 4, 4), "b")
    then(PolynomialNode, "polynomial", (6, 4, 4), "cubes", "relu channels")
    then(AddNode, "add", (6, 4, 4), also=("leaky",))
    then(ConcatNode, "concat", (12, 4, 4), also=("clamp",))
    then(AvgPoolNode, "avg", (12, 4, 4), (3, 3), (1, 1), (1, 1), False, False, 4)
    then(MaxPoolNode, "max", (12, 2, 2), (3, 3), (2, 2), (1, 1), True)
    then(AdaptiveAvgPoolNode, "adaptive", (12, 3, 2))
    then(ReshapeNode, "reshape", (3, 4, 3, 2))
    then(PermuteNode, "permute", (4, 3, 3, 2), (1, 0, 2, 3))
    then(ReshapeNode, "map", (12, 3, 2))
    then(SliceNode, "slice", (5, 3, 2), 7)
    then(TakeNode, "take", (5, 3, 2), (4, -1, 0, 0, 2))
    then(SubsampleNode, "subsample", (5, 3, 4), (-1, 0), (2, 1))
    then(PadNode, "pad", (7, 5, 5), (1, 1), (0, 2, 1, 0))
    then(FlattenNode, "flatten", (175,))
    then(IdentityNode, "identity", (175,))
    then(LinearNode, "fc", (2,), "fc.w", None)
    then(OutputNode, "out", (2,))
    parameters = {
        "w": np.ones((6, 2, 3, 4), np.float32),
        "b": np.ones(6, np.float32),
        "v": np.ones(6, np.float32),
        "cubes": np.ones((6, 4), np.float32),
        "fc.w": np.ones((2, 175), np.float32),
    }
    nodes[1] = dataclasses.replace(nodes[1], shape=(6, 5, 4))
    return Graph(_reshaped(nodes), parameters, {"relu channels": np.arange(6) < 2})


def _reshaped(nodes: list[Node]) -> tuple[Node, ...]:
    """Nodes up to the first pool have the convolution's shape."""
    shape = nodes[1].shape
    fixed = [
        dataclasses.replace(node, shape=(12 if node.name == "concat" else 6, *shape[1:]))
        if 1 < i < 11
        else node
        for i, node in enumerate(nodes)
    ]
    pools = {"avg": (12, *shape[1:]), "max": (12, 3, 3)}
    return tuple(dataclasses.replace(node, shape=pools.get(node.name, node.shape)) for node in fixed)


def test_every_operator_is_sound_and_survives_json() -> None:
    graph = every_node()
    assert {type(node) for node in graph.nodes} == set(OPERATORS.values())
    check_graph(graph, calibrated=False)
    again = tuple(node_from_fields(json.loads(json.dumps(node_to_fields(node)))) for node in graph.nodes)
    assert again == graph.nodes


def altered(name: str, **changes: object) -> Callable[[Graph], Graph]:
    def alter(graph: Graph) -> Graph:
        nodes = (dataclasses.replace(n, **changes) if n.name == name else n for n in graph.nodes)
        return dataclasses.replace(graph, nodes=tuple(nodes))

    return alter


HOSTILE = {
    "conv.*do not fit": altered("conv", groups=3),
    "conv.*groups": lambda g: dataclasses.replace(
        g, parameters={**g.parameters, "w": np.ones((5, 2, 3, 4), np.float32)}
    ),
    "conv.*dilation": altered("conv", dilation=(0, 1)),
    "conv.*larger": altered("conv", dilation=(4, 1)),
    "scale.*factor 0": altered("scale", factor=0.0),
    "scale.*shift nan": altered("scale", shift=float("nan")),
    "clamp.*bounds None and None": altered("clamp", high=None),
    "clamp.*bounds 3.0 and 2.0": altered("clamp", low=3.0),
    "leaky.*slope 1.0": altered("leaky", slope=1.0),
    "leaky.*slope nan": altered("leaky", slope=float("nan")),
    "prelu.*slopes": altered("prelu", weight="fc.w"),
    "polynomial.*coefficients of shape": altered("polynomial", coefficients="b"),
    "polynomial.*needs the mask": lambda g: dataclasses.replace(g, masks={"relu channels": np.ones(5, bool)}),
    "concat.*joins": altered("concat", inputs=("add", "x")),
    "avg.*says shape": altered("avg", padding=(2, 2)),
    "avg.*divides by 0": altered("avg", divisor=0),
    "max.*says shape": altered("max", ceil=False, stride=(3, 3)),
    "adaptive.*pools": altered("adaptive", shape=(11, 3, 2)),
    "reshape.*reshapes": altered("reshape", shape=(3, 4, 3, 3)),
    "permute.*order": altered("permute", axes=(1, 1, 2, 3)),
    "slice.*channels from 8": altered("slice", first=8),
    "take.*takes channel 5": altered("take", positions=(0, 1, 5, 0, 0)),
    "subsample.*takes every": altered("subsample", stride=(0, 1)),
    "pad.*pads": altered("pad", channels=(1 << 20, 0)),
}


@pytest.mark.parametrize("message", HOSTILE)
def test_what_cannot_be_applied_is_refused_by_name(message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_graph(HOSTILE[message](every_node()), calibrated=False)


def test_parameters_of_channels_need_maps_or_features() -> None:
    """They become weights, which a series (channels, length) cannot have."""
    ones = np.ones(3, np.float32)
    norm = BatchNormNode("norm", ("series",), (3, 5), None, None, "ones", "ones", 1e-5)
    powers = PolynomialNode("powers", ("series",), (3, 5), "squares")
    for node in (norm, PReluNode("slopes", ("series",), (3, 5), "ones"), powers):
        series = ReshapeNode("series", ("x",), (3, 5))
        nodes = (InputNode("x", (), (15,)), series, node, OutputNode("out", (node.name,), (3, 5)))
        with pytest.raises(ModelError, match=rf"{node.name}.*\(3, 5\); reshape that"):
            check_graph(Graph(nodes, {"ones": ones}, {}), calibrated=False)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("conv", {"groups": -1}),
        ("conv", {"padding": [1, 1, 1]}),
        ("conv", {"dilation": 2}),
        ("scale", {"factor": "2"}),
        ("scale", {"factor": 10**400}),
        ("clamp", {"low": True}),
        ("avg", {"ceil": 1}),
        ("avg", {"divisor": 2.5}),
        ("permute", {"axes": "10"}),
        ("subsample", {"offset": [0]}),
        ("subsample", {"offset": [1 << 13, 0]}),
        ("pad", {"channels": [-1, 0]}),
        ("polynomial", {"coefficients": None}),
        ("polynomial", {"relu": 3}),
    ],
)
def test_fields_of_the_wrong_type_are_refused(name: str, change: dict[str, object]) -> None:
    node = next(node for node in every_node().nodes if node.name == name)
    with pytest.raises(ModelError, match=next(iter(change))):
        node_from_fields({**node_to_fields(node), **change})
