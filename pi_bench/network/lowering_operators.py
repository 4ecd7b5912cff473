"""Each operator of a torch.export trace as nodes of the float graph, or refused with advice.

Only the structure of the trace is read here (names, arguments, shapes): this module needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping

from pi_bench.network import (
    lowering_activations,
    lowering_movement,
    lowering_pooling,
    lowering_weights,
)
from pi_bench.network.lowering_trace import FxNode, Trace, Translator, arguments, refuse

__all__ = ["TRANSLATORS", "FxNode", "Trace", "advice", "arguments", "refuse", "translate"]


def translate(trace: Trace, fx_node: FxNode) -> None:
    """Appends the nodes of one call.

    Raises:
        ModelError: the operator, or a use of it, is not supported.
    """
    operator = str(fx_node.target).removeprefix("aten.")
    translator = TRANSLATORS.get(operator.split(".")[0])
    if fx_node.target.__class__.__name__ == "builtin_function_or_method":  # operator.getitem of a tuple
        translator = lowering_movement.getitem
    if translator is None:
        raise refuse(fx_node, advice(operator))
    translator(trace, fx_node, arguments(fx_node))


def advice(operator: str) -> str:
    """What to use in place of an operator that is not supported."""
    stem = operator.split(".")[0].strip("_")
    return next((words for key, words in _ADVICE if key in stem), _GENERAL_ADVICE)


TRANSLATORS: Mapping[str, Translator] = {
    **lowering_weights.TRANSLATORS,
    **lowering_activations.TRANSLATORS,
    **lowering_pooling.TRANSLATORS,
    **lowering_movement.TRANSLATORS,
}

_ACTIVATIONS = "gelu silu mish sigmoid tanh elu celu selu softplus hardswish softsign softshrink"
_ADVICE = (
    ("softmax", "leave it out: the client applies softmax to the logits itself"),
    *((name, "use torch.nn.ReLU and train again") for name in _ACTIVATIONS.split()),
    ("norm", "use torch.nn.BatchNorm2d, whose statistics are fixed in inference"),
    ("transpose", "transposed convolution is not supported; use torch.nn.Conv2d"),
    ("conv", "use torch.nn.Conv2d"),
    ("pool", "use torch.nn.MaxPool2d, AvgPool2d or AdaptiveAvgPool2d"),
    ("matmul", "products of two activations are not supported; use torch.nn.Linear with fixed weights"),
    ("bmm", "products of two activations are not supported; use torch.nn.Linear with fixed weights"),
    ("mul", "products of two activations are not supported; multiply by constants or parameters alone"),
    ("upsample", "use a network without upsampling"),
    ("sym_size", "export with fixed shapes, without dynamic_shapes"),
)
_GENERAL_ADVICE = (
    "use convolution, batch normalization, linear layers, ReLU, ReLU6, clamp, leaky and parametric ReLU, "
    "sums, concatenation, average and maximum pooling, reshapes and slices only"
)
