"""Translates each operator of a torch.export trace to nodes of the float graph, or refuses it with advice.

Only the structure of the trace is read here (names, arguments, shapes) and, by some, constants.
"""

from __future__ import annotations

from collections.abc import Mapping

from pi_bench.network.lowering import (
    activations,
    comparisons,
    matrices,
    movement,
    padding,
    pooling,
    reductions,
    resampling,
    selections,
    transposed,
    weights,
)
from pi_bench.network.lowering.advice import advice
from pi_bench.network.lowering.composites import composed_activation
from pi_bench.network.lowering.state import FxNode, Lowering, Translator, arguments, refuse


def translate(lowering: Lowering, fx_node: FxNode) -> None:
    """Appends the nodes of one call.

    Raises:
        ModelError: the operator, or this use of it, is not supported.

    >>> import torch
    >>> from pi_bench.network.graph import InputNode
    >>> graph = torch.fx.Graph()
    >>> x, lowering = graph.placeholder("x"), Lowering(sources={})
    >>> lowering.add(x, InputNode("input", (), (2,)))
    >>> translate(lowering, graph.call_function(torch.ops.aten.relu.default, (x,)))
    >>> [node.name for node in lowering.nodes]
    ['input', 'relu']
    """
    operator = str(fx_node.target).removeprefix("aten.")
    translator = TRANSLATORS.get(operator.split(".")[0])
    if fx_node.target.__class__.__name__ == "builtin_function_or_method":  # operator.getitem of a tuple
        translator = movement.getitem
    if translator is None:
        raise refuse(fx_node, advice(operator), activation=composed_activation(fx_node))
    translator(lowering, fx_node, arguments(fx_node))


TRANSLATORS: Mapping[str, Translator] = {
    **weights.TRANSLATORS,
    **activations.TRANSLATORS,
    **pooling.TRANSLATORS,
    **movement.TRANSLATORS,
    **comparisons.TRANSLATORS,
    **matrices.TRANSLATORS,
    **padding.TRANSLATORS,
    **reductions.TRANSLATORS,
    **resampling.TRANSLATORS,
    **selections.TRANSLATORS,
    **transposed.TRANSLATORS,
}
