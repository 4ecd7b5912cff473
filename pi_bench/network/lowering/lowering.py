"""Lowers a torch module to the float graph.

`torch.export` traces the module in inference. Where a trace has operators in place or aliases, running its
decompositions with an empty table makes it functional and leaves the operators of the user's code whole.
Values that depend on parameters alone are computed (`lowering.constants`). Masked ReLUs, scales and shifts
are found in combinations that are linear in activations (`lowering.masks`), powers of one activation become
polynomials (`lowering.polynomials`), and `lowering.operators` translates each other operator, or refuses it
with its module path and a replacement.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Sequence

import torch

from pi_bench.errors import ModelError
from pi_bench.network.graph import Graph, InputNode, Node, OutputNode, PolynomialNode, ReluNode
from pi_bench.network.graph.check import check_graph
from pi_bench.network.graph.node import cited_parameters
from pi_bench.network.lowering.combinations import Combinations
from pi_bench.network.lowering.constants import Constants
from pi_bench.network.lowering.last_step import META_KEY, without_last_step
from pi_bench.network.lowering.lines import lines_as_maps
from pi_bench.network.lowering.masks import MaskLowering
from pi_bench.network.lowering.operators import translate
from pi_bench.network.lowering.polynomials import Powers
from pi_bench.network.lowering.state import Lowering, refuse
from pi_bench.network.lowering.tracing import require_straight, traced


def lower(
    module: torch.nn.Module | torch.export.ExportedProgram,
    example_input: torch.Tensor,
    *,
    name: str = "network",
    labels: Sequence[str] = (),
) -> Graph:
    """Lowers `module` to its float graph, without calibrated ranges; `module` is left as it was.

    Args:
        example_input: float tensor (batch, features), (batch, channels, length) or (batch, channels, height,
            width).

    Raises:
        ModelError: an operator that cannot be lowered; the message has its module path and a replacement.

    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    >>> [(node.name, node.shape) for node in lower(module, torch.zeros(1, 2)).nodes]
    [('input', (2,)), ('0', (3,)), ('1', (3,)), ('output', (3,))]
    """
    if not isinstance(example_input, torch.Tensor) or example_input.dim() not in (2, 3, 4):
        raise ModelError(
            "the example input is not a tensor (batch, features), (batch, channels, length) or (batch, "
            "channels, height, width)"
        )
    exported = traced(module, example_input.detach().float().cpu())
    state = {**exported.state_dict, **exported.constants}
    signature = exported.graph_signature
    sources = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    sources.update(signature.inputs_to_lifted_tensor_constants)
    if len(signature.user_inputs) != 1 or len(signature.user_outputs) != 1:
        raise ModelError("the network has more than one input or output; export a module with one of each")
    require_straight(exported)
    trace = _read_calls(exported.graph)
    lowering = Lowering(sources={})
    constants = Constants(lowering)
    powers = Powers(lowering)
    masked = MaskLowering(lowering, Combinations(lowering, constants, powers))
    *_, returned = trace.nodes
    # Changed buffers (counters, running statistics) are outputs of a trace too.
    answer = next(value for value in returned.args[0] if value.name == signature.user_outputs[0])
    result, left_to_client = without_last_step(answer)
    for fx_node in trace.nodes:
        if fx_node.op == "placeholder":
            if fx_node.name in signature.user_inputs:
                lowering.add(fx_node, InputNode("input", (), tuple(example_input.shape[1:])))
            else:
                name_in_module = str(sources[fx_node.name])
                constants.add(fx_node, name_in_module, state[name_in_module])
        elif fx_node.op == "call_function":
            if not constants.fold(fx_node) and not masked.take(fx_node):
                masked.lower_operands(fx_node)
                translate(lowering, fx_node)
        elif fx_node.op == "output":
            masked.lower_operands(fx_node)
            if result not in lowering.values:
                raise ModelError("the network's output does not depend on its input")
            last = lowering.values[result]
            lowering.nodes.append(OutputNode("output", (last.name,), last.shape))
        else:
            raise refuse(fx_node, "write it with the operators of torch.nn")
    rewritten, all_masks = lines_as_maps(_live(lowering.nodes), {**masked.masks, **powers.masks})
    nodes = _live(rewritten)
    cited = {name for node in nodes for name in cited_parameters(node).values()}
    made = {**masked.parameters, **powers.parameters, **lowering.parameters}
    parameters = {key: made[key] if key in made else constants.parameter(key) for key in sorted(cited)}
    masks = {node.mask: all_masks[node.mask] for node in nodes if isinstance(node, ReluNode) and node.mask}
    masks |= {
        node.relu: all_masks[node.relu] for node in nodes if isinstance(node, PolynomialNode) and node.relu
    }
    meta = {"name": name, **({META_KEY: left_to_client} if left_to_client else {})}
    graph = Graph(nodes, parameters, masks, labels=tuple(labels), meta=meta)
    check_graph(graph, calibrated=False)
    return graph


def _read_calls(graph: torch.fx.Graph) -> torch.fx.Graph:
    """Returns a copy, which can be changed, of a trace that may be the user's.

    It has all calls but the choices of results that nothing reads.
    """
    found = copy.deepcopy(graph)
    for fx_node, original in zip(found.nodes, graph.nodes, strict=True):
        fx_node.name = original.name  # a copy may not be called "input"
    for fx_node in reversed(found.nodes):
        if fx_node.target is operator.getitem and not fx_node.users:
            found.erase_node(fx_node)
    return found


def _live(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Leaves out nodes that the output does not depend on."""
    wanted = {nodes[-1].name}
    kept: list[Node] = []
    for node in reversed(nodes):
        if node.name in wanted or isinstance(node, InputNode):
            kept.append(node)
            wanted.update(node.inputs)
    return tuple(reversed(kept))
