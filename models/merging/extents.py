"""How far merging goes: which linear values stay values of their own.

`paper` is what DeepReDuce's Table 7 counts: what thinning dropped the ReLU of is merged into the next
convolution, a culled stage becomes one block of two convolutions, the stem stays. `full` leaves no linear
value at all: every ReLU reads ReLUs, and what ends in the logits becomes fully connected.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import fx, nn

from ..recipe import Recipe

EXTENTS = ("paper", "full")


def kept_values(recipe: Recipe, extent: str, graph: fx.GraphModule) -> frozenset[str]:
    """Names of the nodes of `graph`, the traced network of `recipe`, that merging keeps although they are
    linear."""
    if extent == "full":
        return frozenset()
    found: list[str] = []
    if recipe.has_stem_relu and not recipe.stem_relu:
        found += list(_last_within(graph, "stem"))
    for stage in recipe.culled_stages:
        path = f"stages.{stage - 1}"
        first = next((node for node in _within(graph, path) if _is_conv(graph, node)), None)
        if first is not None:
            found.append(_normalized(graph, first).name)
        found += list(_last_within(graph, path))
    return frozenset(found)


def _within(graph: fx.GraphModule, path: str) -> Iterator[fx.Node]:
    """Nodes of the module at `path`, in order."""
    for node in graph.graph.nodes:
        stack = [where for where, _ in node.meta.get("nn_module_stack", {}).values()]
        if any(where == path or where.startswith(f"{path}.") for where in stack):
            yield node


def _last_within(graph: fx.GraphModule, path: str) -> Iterator[str]:
    *_, last = [None, *_within(graph, path)]
    if last is not None:
        yield last.name


def _is_conv(graph: fx.GraphModule, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(graph.get_submodule(str(node.target)), nn.Conv2d)


def _normalized(graph: fx.GraphModule, node: fx.Node) -> fx.Node:
    """The batch normalization behind a convolution, or itself."""
    for reader in node.users:
        if reader.op == "call_module" and isinstance(graph.get_submodule(str(reader.target)), nn.BatchNorm2d):
            return reader
    return node
