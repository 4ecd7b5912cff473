"""The extent that merges a network best for a link, by public costs, so that every machine chooses alike.

Full merging costs larger kernels and saves truncations and rounds. As for fusion, a table without a link
allows no more offline bytes.
"""

from __future__ import annotations

import dataclasses

import torch

from pi_bench.network.compiler import CompileOptions
from pi_bench.network.fusion import Cost, CostTable
from pi_bench.network.fusion.plan import Planner
from pi_bench.network.lowering import lower

from ..building import build
from ..recipe import Recipe
from .extents import EXTENTS


def cheapest_extent(recipe: Recipe, table: CostTable) -> str:
    """Returns the extent whose network has the smaller online time by `table`. Among equals, it is "paper".

    If the table does not let offline bytes grow, "full" must also have no more of them.

    Raises:
        ModelError: The network cannot be merged.

    >>> from pi_bench.channel.link import Link
    >>> from pi_bench.models import load_recipe, narrowed
    >>> recipe, link = narrowed(load_recipe("resnet18-cifar100-24576"), 0.125), Link.parse("wan")
    >>> rates = link.up_bits_per_s, link.down_bits_per_s
    >>> cheapest_extent(recipe, CostTable.of_link("wan", link.rtt_s, *rates))
    'full'
    """
    paper, full = (linear_cost(dataclasses.replace(recipe, merged=extent), table) for extent in EXTENTS)
    allowed = table.offline_may_grow or full.offline_bytes <= paper.offline_bytes
    return "full" if allowed and full.online_s < paper.online_s else "paper"


def linear_cost(recipe: Recipe, table: CostTable) -> Cost:
    """Returns the cost of a network's linear layers by `table`, apart from ReLUs.

    >>> from pi_bench.models import load_recipe, narrowed
    >>> linear_cost(narrowed(load_recipe("resnet18-cifar100-24576"), 0.125), CostTable()).online_s > 0
    True
    """
    # Shapes decide alone. Weights of merged kernels would take minutes to compute for wide networks.
    module = build(recipe, "meta").to_empty(device="cpu").eval()
    for weights in module.state_dict().values():
        weights.zero_()
    graph = lower(module, torch.zeros(1, *recipe.input_shape))
    planner = Planner(graph, CompileOptions().most_weight_bits, table)
    return planner.cost(planner.unfused())
