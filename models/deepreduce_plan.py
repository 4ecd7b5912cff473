"""The networks that DeepReDuce explores, as data (Jha et al., ICML 2021, Figure 4 and section 3.5).

Iteration i culls the i least critical stages. Five networks follow from the culled one:

    cull       the culled network itself
    thin       the ReLU after the addition dropped in every other stage
    alpha      thinned, with half of the channels: half of the ReLUs
    rho        thinned, with half of the height and width: a quarter of the ReLUs
    compound   thinned, with both: an eighth of the ReLUs

The most critical stage is never culled: D stages make 5 * (D - 1) networks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from pi_bench.errors import ModelError, UsageError

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
    """One network of the search.

    Attributes:
        iteration: the iteration, from 1.
        step: "cull", "thin", "alpha", "rho" or "compound".
        recipe: the network.

    >>> from pi_bench.models import load_recipe
    >>> plan = search_plan(load_recipe("resnet18-cifar100-557056"), (1, 4, 2, 3))
    >>> plan[1].iteration, plan[1].step, plan[1].recipe.relu_count
    (1, 'thin', 114688)
    """

    iteration: int
    step: str
    recipe: Recipe


def search_plan(base: Recipe, order: Sequence[int]) -> list[PlannedNetwork]:
    """Returns all networks of the search, by iteration and step.

    Args:
        base: the network with all its ReLUs. The steps multiply its own alpha and rho.
        order: every stage of `base` once, from least to most critical (`criticality.culling_order`).

    Raises:
        ModelError: `base` has already lost ReLUs, or a step makes the network impossible (less than one
            channel, an input smaller than the total stride, a layer of polynomials that is culled).
        UsageError: `order` does not name each stage once.

    >>> from pi_bench.models import load_recipe
    >>> plan = search_plan(load_recipe("resnet18-cifar100-557056"), (1, 4, 2, 3))
    >>> [planned.recipe.relu_count for planned in plan[:5]]
    [229376, 114688, 57344, 28672, 14336]
    """
    require_full(base)
    stages = list(range(1, base.stage_count + 1))
    if sorted(order) != stages:
        raise UsageError(
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
            for key, problem in recipe.problems():
                raise ModelError(
                    f"DeepReDuce cannot start from {base.name}: step {step} of iteration {iteration} makes a "
                    f"network whose {key!r} {problem}"
                )
            name = f"{base_name(base)}-{iteration}-{step}-{recipe.relu_count}"
            recipe = dataclasses.replace(recipe, name=name)
            plan.append(PlannedNetwork(iteration, step, parse_recipe(format_recipe(recipe), name)))
    return plan


def narrowed(base: Recipe, factor: float) -> Recipe:
    """Returns `base` with `factor` times its channels.

    Raises:
        ModelError: Less than one channel is left.

    >>> from pi_bench.models import load_recipe
    >>> narrowed(load_recipe("resnet18-cifar100-557056"), 0.125).scaled_widths
    (8, 16, 32, 64)
    """
    recipe = dataclasses.replace(base, alpha=base.alpha * factor, published=None)
    name = f"{base_name(base)}-{recipe.relu_count}"
    recipe = dataclasses.replace(recipe, name=name)
    return parse_recipe(format_recipe(recipe), name)
