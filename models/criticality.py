"""How much a stage's ReLUs matter to accuracy, and so the order in which DeepReDuce culls stages.

Jha et al., ICML 2021, section 3.1, equation 1: with Acc[S_k] the accuracy of the network that has
ReLUs in stage k only, trained with knowledge distillation,

    C_k = (Acc[S_k] - min over i of Acc[S_i]) / (#ReLU[S_k])**w,    w = 0.07.

The paper does not say in which unit ReLUs are counted; its Table 3 follows for ResNet34 from counts
in thousands. The unit scales every C_k alike and never changes the order.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from pi_bench.errors import ModelError

from .recipe import Recipe

DEFAULT_WEIGHT = 0.07


@dataclass(frozen=True, slots=True)
class StageAccuracy:
    """Test or validation accuracy of the network whose only ReLUs are those of `stage` (from 1)."""

    stage: int
    relu_count: int
    accuracy_pct: float


def only_stage(recipe: Recipe, stage: int) -> Recipe:
    """`recipe` with ReLUs in `stage` alone: the network whose accuracy equation 1 asks for.

    Raises:
        ModelError: the recipe has no such stage, or has lost ReLUs already.
    """
    require_full(recipe)
    stages = range(1, recipe.stage_count + 1)
    if stage not in stages:
        raise ModelError(f"recipe {recipe.name} has no stage {stage}: it has stages 1 to {stages[-1]}")
    culled = tuple(other for other in stages if other != stage)
    return dataclasses.replace(
        recipe,
        name=f"{base_name(recipe)}-only-s{stage}",
        culled_stages=culled,
        stem_relu=False,
        published=None,
    )


def criticality(stages: Sequence[StageAccuracy], weight: float = DEFAULT_WEIGHT) -> dict[int, float]:
    """C_k by stage; the least accurate stage has 0.

    Raises:
        ModelError: no stage, a stage given twice, no ReLUs in one, or an accuracy outside 0 to 100.
    """
    if not stages:
        raise ModelError("criticality needs the accuracy of every stage; none is given")
    if len({entry.stage for entry in stages}) != len(stages):
        raise ModelError("criticality: a stage is given twice")
    for entry in stages:
        if entry.relu_count < 1:
            raise ModelError(f"criticality: stage {entry.stage} has {entry.relu_count} ReLUs, 1 is the least")
        if not 0 <= entry.accuracy_pct <= 100:
            raise ModelError(
                f"criticality: stage {entry.stage} has an accuracy of {entry.accuracy_pct} %, "
                "0 to 100 is allowed"
            )
    lowest = min(entry.accuracy_pct for entry in stages)
    return {
        entry.stage: (entry.accuracy_pct - lowest) / math.pow(entry.relu_count / 1000, weight)
        for entry in stages
    }


def culling_order(stages: Sequence[StageAccuracy], weight: float = DEFAULT_WEIGHT) -> tuple[int, ...]:
    """Stages from least to most critical; of equally critical ones, that with more ReLUs first.

    Raises: ModelError, as `criticality`.
    """
    values = criticality(stages, weight)
    ordered = sorted(stages, key=lambda entry: (values[entry.stage], -entry.relu_count, entry.stage))
    return tuple(entry.stage for entry in ordered)


def require_full(recipe: Recipe) -> None:
    """Raises ModelError unless `recipe` is a baseline: reduction starts from all ReLUs."""
    if recipe.culled_stages or recipe.thinned_stages or recipe.kept_relus is not None or recipe.merged:
        raise ModelError(
            f"recipe {recipe.name} is culled, thinned, masked or merged already: "
            "start from the network with all its ReLUs"
        )


def base_name(recipe: Recipe) -> str:
    """The recipe's name without the number of ReLUs that it ends with."""
    return recipe.name.removesuffix(f"-{recipe.relu_count}")
