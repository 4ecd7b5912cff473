"""The extent of merging: the choice of the linear values that are not merged away.

`paper` follows the counts of DeepReDuce's Table 7. A convolution whose ReLU thinning dropped is merged into
the next one, a culled stage becomes one block of two convolutions, and the stem stays. `full` keeps no linear
value: every ReLU reads ReLUs, and the layers before the logits become fully connected.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import fx, nn

from ..recipe import Recipe

EXTENTS = ("paper", "full")


def kept_values(recipe: Recipe, extent: str, graph: fx.GraphModule) -> frozenset[str]:
    """Returns the names of the linear nodes that merging keeps in the traced network `graph` of `recipe`.

    >>> from pi_bench.models import load_recipe
    >>> kept_values(load_recipe("resnet18-cifar100-12288"), "full", fx.GraphModule({}, fx.Graph()))
    frozenset()
    """
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
    """Yields the nodes of the module at `path`, in order."""
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
    """Returns the batch normalization that reads a convolution, or the convolution itself."""
    for reader in node.users:
        if reader.op == "call_module" and isinstance(graph.get_submodule(str(reader.target)), nn.BatchNorm2d):
            return reader
    return node
