"""The networks that DeepReDuce explores, as data (Jha et al., ICML 2021, Figure 4 and section 3.5).

Iteration i culls the i least critical stages; culling is compounded. From that network come five:

    cull       the culled network itself
    thin       and the ReLU after the addition dropped in every other stage
    alpha      thinned, half of the channels                 half of the ReLUs
    rho        thinned, half of the height and width         a quarter
    compound   thinned, both                                 an eighth

The most critical stage is never culled: D stages make 5 * (D - 1) networks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from pi_bench.errors import ModelError

from .criticality import base_name, require_full
from .recipe import Recipe
from .recipe_schema import parse_recipe
from .recipe_writing import format_recipe

SCALE = 0.5

# Step, whether it thins, and the factors of alpha and rho.
_STEPS = (
    ("cull", False, 1.0, 1.0),
    ("thin", True, 1.0, 1.0),
    ("alpha", True, SCALE, 1.0),
    ("rho", True, 1.0, SCALE),
    ("compound", True, SCALE, SCALE),
)


@dataclass(frozen=True, slots=True)
class PlannedNetwork:
    """One network of the search: `iteration` counts from 1, `step` is a word of the list above."""

    iteration: int
    step: str
    recipe: Recipe


def search_plan(base: Recipe, order: Sequence[int]) -> list[PlannedNetwork]:
    """All networks of the search, by iteration and step.

    Args:
        base: the network with all its ReLUs. Its own alpha and rho are multiplied, so that a
            narrowed baseline has a search of its own.
        order: every stage of `base` once, from least to most critical (`criticality.culling_order`).

    Raises:
        ModelError: `base` has lost ReLUs already, `order` is no order of its stages, or a step makes
            the network impossible (less than one channel, an input below the total stride).
    """
    require_full(base)
    stages = list(range(1, base.stage_count + 1))
    if sorted(order) != stages:
        raise ModelError(
            f"the culling order {list(order)} must name each of the stages 1 to {stages[-1]} once"
        )
    plan = []
    for iteration in range(1, len(stages)):
        culled = tuple(sorted(order[:iteration]))
        kept = tuple(stage for stage in stages if stage not in culled)
        for step, thins, alpha, rho in _STEPS:
            recipe = dataclasses.replace(
                base,
                culled_stages=culled,
                thinned_stages=kept if thins else (),
                stem_relu=False,
                alpha=base.alpha * alpha,
                rho=base.rho * rho,
                published=None,
            )
            name = f"{base_name(base)}-{iteration}-{step}-{recipe.relu_count}"
            recipe = dataclasses.replace(recipe, name=name)
            plan.append(PlannedNetwork(iteration, step, parse_recipe(format_recipe(recipe), name)))
    return plan


def narrowed(base: Recipe, factor: float) -> Recipe:
    """`base` with `factor` times its channels, to search from where the whole is too much to train.

    Raises:
        ModelError: less than one channel is left.
    """
    recipe = dataclasses.replace(base, alpha=base.alpha * factor, published=None)
    name = f"{base_name(base)}-{recipe.relu_count}"
    recipe = dataclasses.replace(recipe, name=name)
    return parse_recipe(format_recipe(recipe), name)
