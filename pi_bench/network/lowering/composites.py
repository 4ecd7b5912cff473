"""Recognizes activations that an exporter writes as several operators, so that a refusal names them.

SiLU    x * sigmoid(x)
Hardswish  x * relu6(x + 3) / 6, or the same with hardsigmoid(x) or a clamp
GELU    x * (1 + erf(x / sqrt 2)) / 2, or the same with a tanh of a cubic polynomial of x
Mish    x * tanh(softplus(x))
"""

from __future__ import annotations

from pi_bench.network.lowering.state import FxNode

_MAX_STEPS = 12
_CLAMPS = ("relu6", "clamp", "clip", "hardtanh", "hardsigmoid")
_ELEMENTWISE = (
    *("add", "sub", "mul", "div", "pow", "sigmoid", "erf", "tanh", "softplus"),
    *("clone", "contiguous", "to", "to_copy"),
)


def composed_activation(call: FxNode) -> str | None:
    """Names the activation that a sigmoid, erf, tanh, softplus or product is a part of; None if it is alone.

    The activation multiplies its own input with a function of that input, without a layer between them.

    >>> import torch
    >>> graph = torch.fx.Graph()
    >>> x = graph.placeholder("x")
    >>> gate = graph.call_function(torch.ops.aten.sigmoid.default, (x,))
    >>> composed_activation(gate) is None
    True
    >>> product = graph.call_function(torch.ops.aten.mul.Tensor, (x, gate))
    >>> composed_activation(gate)
    'SiLU (x * sigmoid(x), also called swish)'
    """
    kind = _operator(call)
    if kind == "mul":
        return _hardswish(call)
    if kind not in ("sigmoid", "erf", "tanh", "softplus"):
        return None
    before, after = _reached(call, forward=False), _reached(call, forward=True)
    products = [node for node in after if _operator(node) == "mul"]
    factors = {_unscaled(factor) for node in products for factor in node.all_input_nodes}
    if not factors & before:
        return None
    if kind == "sigmoid":
        return "SiLU (x * sigmoid(x), also called swish)"
    near = {_operator(node) for node in (*before, *after)}
    if kind == "softplus" or "softplus" in near:
        return "Mish (x * tanh(softplus(x)))" if "tanh" in near | {kind} else None
    return "GELU"


def _hardswish(product: FxNode) -> str | None:
    """Names Hardswish if one factor of the product is a clamp of the other factor, up to constants."""
    for gate in product.all_input_nodes:
        for clamp in _affine(gate):
            others = [factor for factor in product.all_input_nodes if factor is not gate]
            if _operator(clamp) in _CLAMPS and {*map(_unscaled, others)} & _affine(clamp.all_input_nodes[0]):
                return "Hardswish (x * relu6(x + 3) / 6)"
    return None


def _affine(node: FxNode) -> set[FxNode]:
    """Collects the nodes that a value is made of by sums and products, the value itself too."""
    found, edge = {node}, {node}
    for _ in range(_MAX_STEPS):
        edge = {
            before
            for value in edge
            if _operator(value) in ("add", "sub", "mul", "div")
            for before in value.all_input_nodes
        } - found
        found |= edge
    return found


def _reached(call: FxNode, *, forward: bool) -> set[FxNode]:
    """Collects the nodes near a call that compute elements one by one; the values that they read, too."""
    found: set[FxNode] = set()
    edge = [call]
    for _ in range(_MAX_STEPS):
        nexts = {other for node in edge for other in (node.users if forward else node.all_input_nodes)}
        edge = [node for node in nexts - found if _operator(node) in _ELEMENTWISE or not forward]
        found |= set(edge)
        edge = [node for node in edge if _operator(node) in _ELEMENTWISE]
    return found


def _unscaled(node: FxNode) -> FxNode:
    """Returns the value that a product with a number multiplies, or the value itself."""
    scaled = _operator(node) in ("mul", "div") and len(node.all_input_nodes) == 1
    return node.all_input_nodes[0] if scaled else node


def _operator(node: FxNode) -> str:
    name = str(node.target)
    return name.removeprefix("aten.").split(".")[0].strip("_") if name.startswith("aten.") else ""
