"""The criticality of a stage, its ReLUs' effect on accuracy, which orders the culling of DeepReDuce.

Jha et al., ICML 2021, section 3.1, equation 1. Acc[S_k] is the accuracy of the network that has ReLUs in
stage k only, trained with knowledge distillation:

    C_k = (Acc[S_k] - min over i of Acc[S_i]) / (#ReLU[S_k])**w,    w = 0.07.

The paper does not say in which unit ReLUs are counted; its Table 3 follows for ResNet34 from counts
in thousands. The unit scales every C_k alike and never changes the order.

For an objective of time, the predicted time of the same network in ms takes the place of #ReLU[S_k]. This is
not in the paper.
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
    """The test or validation accuracy of the network whose only ReLUs are those of one stage.

    Attributes:
        stage: the stage, from 1.
        relu_count: its ReLUs.
        accuracy_pct: the accuracy in percent.
        time_s: the predicted time of this network, if the objective is time.

    >>> StageAccuracy(stage=1, relu_count=262_144, accuracy_pct=59.85).stage
    1
    """

    stage: int
    relu_count: int
    accuracy_pct: float
    time_s: float | None = None


def only_stage(recipe: Recipe, stage: int) -> Recipe:
    """Returns `recipe` with ReLUs in `stage` alone, the network whose accuracy equation 1 needs.

    Raises:
        ModelError: The recipe has no such stage, or has already lost ReLUs.

    >>> from pi_bench.models import load_recipe
    >>> only_stage(load_recipe("resnet18-cifar100-557056"), 3).culled_stages
    (1, 2, 4)
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
    """Returns C_k by stage. The least accurate stage has 0.

    Args:
        stages: the accuracy of each stage's network.
        weight: the exponent w.

    Raises:
        ModelError: No stage is given, one is given twice or has no ReLUs, or an accuracy is outside 0 to 100.

    >>> criticality([StageAccuracy(1, 1000, 60.0), StageAccuracy(2, 1000, 68.5)])
    {1: 0.0, 2: 8.5}
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
    return {entry.stage: (entry.accuracy_pct - lowest) / math.pow(_cost(entry), weight) for entry in stages}


def _cost(entry: StageAccuracy) -> float:
    return 1000 * entry.time_s if entry.time_s is not None else entry.relu_count / 1000


def culling_order(stages: Sequence[StageAccuracy], weight: float = DEFAULT_WEIGHT) -> tuple[int, ...]:
    """Returns the stages from least to most critical. Among equals, the more expensive one comes first.

    Raises:
        ModelError: `criticality` does not accept the arguments.

    >>> culling_order([StageAccuracy(1, 1000, 60.0), StageAccuracy(2, 1000, 51.5)])
    (2, 1)
    """
    values = criticality(stages, weight)
    ordered = sorted(stages, key=lambda entry: (values[entry.stage], -_cost(entry), entry.stage))
    return tuple(entry.stage for entry in ordered)


def require_full(recipe: Recipe) -> None:
    """Checks that `recipe` is a baseline, because a reduction starts from all ReLUs.

    Raises:
        ModelError: The recipe is culled, thinned, masked or merged, or layers are without ReLU.

    >>> from pi_bench.models import load_recipe
    >>> require_full(load_recipe("resnet18-cifar100-557056"))
    """
    reduced = (recipe.culled_stages, recipe.thinned_stages, recipe.merged, recipe.identities)
    if any(reduced) or recipe.kept_relus is not None:
        raise ModelError(
            f"recipe {recipe.name} is culled, thinned, masked or merged already: "
            "start from the network with all its ReLUs"
        )


def require_relus(recipe: Recipe) -> None:
    """Checks that `recipe` is a baseline without polynomials, for methods that put polynomials or masks in
    place of its ReLUs.

    Raises:
        ModelError: The recipe is reduced (`require_full`), or has polynomials.

    >>> from pi_bench.models import load_recipe
    >>> require_relus(load_recipe("resnet18-cifar100-557056"))
    """
    require_full(recipe)
    if recipe.has_polynomials:
        raise ModelError(f"{recipe.name} has polynomials: start from the network with all its ReLUs")


def base_name(recipe: Recipe) -> str:
    """Returns the recipe's name without the number of ReLUs at its end.

    >>> from pi_bench.models import load_recipe
    >>> base_name(load_recipe("resnet18-cifar100-557056"))
    'resnet18-cifar100'
    """
    return recipe.name.removesuffix(f"-{recipe.relu_count}")
