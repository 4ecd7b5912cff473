"""Plans by channels: for each budget the choices for groups of channels that risk least.

sensitivity/P-C/channels.json   the effects of the channels of layer P under choice C (`channel_effects`)
plan.csv                        gain and risk of each choice for each group of channels
planned/B                       the network of the plan for budget B, from which its finetuning starts
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from ..channel_planning import ChannelGroup, channel_groups, kinds_of_channels, least_risk_kinds
from ..mixture import channels_in_words
from ..planning import LayerChoice
from ..recipe_writing import format_recipe
from ..safenet.mixed_network import mixed_recipe, replaced_network
from ..training.train_recipe import load_teacher, make_folder
from ..training.training_files import START_FILE, save_tensors, write_whole
from .chosen_plan import ChosenPlan, PlanSettings, write_plan
from .plan_costs import PlanCosts
from .time_budgets import Budget
from .training_job import teacher_of
from .trainings import Trainings, ended

_HALVINGS = 12


def channel_plans(
    settings: PlanSettings,
    costs: PlanCosts,
    options: Mapping[tuple[str, str], LayerChoice],
    trainings: Trainings,
    teacher: Path,
) -> dict[Budget, ChosenPlan]:
    """Returns the plan for each budget, and writes the network that its finetuning starts from.

    Args:
        costs: the costs of plans.
        options: gain and risk of each choice for each layer, after its short training.
        trainings: the trainings of the search, whose folder has the short ones.
        teacher: the folder of the teacher.

    Raises:
        UsageError: No plan by layers meets a budget. Plans by channels reach no lower.
        OutputError: A file cannot be written.

    ```python
    def words_of(settings: PlanSettings, costs: PlanCosts, one: LayerChoice, search: Trainings) -> list[str]:
        options = {(one.path, one.choice): one}
        found = channel_plans(settings, costs, options, search, search.root / "teacher")
        return [plan.words for plan in found.values()]
    ```
    """
    groups = _groups(settings, costs, options, trainings)
    write_plan(
        trainings.root,
        costs,
        [
            ({"layer": group.path, "channels": " ".join(map(str, group.channels))}, one)
            for group in groups
            for one in group.options
        ],
    )
    state = load_teacher(teacher_of(str(teacher)), costs.base, torch.device("cpu")).state_dict()
    found = {}
    for budget in settings.budgets:
        layers = costs.first_within(budget, options)
        kinds = kinds_of_channels(groups, chosen_kinds(budget, groups, costs, layers))
        recipe = mixed_recipe(costs.base, kinds, "plan")
        place = trainings.root / "planned" / str(budget)
        make_folder(place)
        save_tensors(place / START_FILE, replaced_network(recipe, kinds, state).state_dict())
        write_whole(place / "recipe.toml", format_recipe(recipe).encode())
        words = channels_in_words(np.concatenate(list(kinds.values())).tolist())
        found[budget] = ChosenPlan(recipe, words, place / START_FILE, settings.finetuning)
    return found


def chosen_kinds(
    budget: Budget, groups: Sequence[ChannelGroup], costs: PlanCosts, layers: Mapping[str, str]
) -> list[str]:
    """Returns the kinds of groups that risk least within a budget.

    ReLUs add up, so one attempt meets a budget of ReLUs. The predicted times of groups do not quite, so a
    bisection finds the least wanted gain at which the predicted network is within the budget. The plan by
    layers is tried too, so that no plan by channels risks more than it.

    Args:
        costs: predicts or counts whole networks.
        layers: the choices for layers of a plan within the budget.

    >>> from pi_bench.models import load_recipe
    >>> base = load_recipe("resnet18-cifar100-557056")
    >>> half = 32768.0
    >>> groups = [
    ...     ChannelGroup("stem.relu", tuple(range(32)), (LayerChoice("stem.relu", "linear", half, 1.0),)),
    ...     ChannelGroup("stem.relu", tuple(range(32, 64)), (LayerChoice("stem.relu", "linear", half, 0.5),)),
    ... ]
    >>> chosen_kinds(530_000, groups, PlanCosts(base, None), {"stem.relu": "linear"})
    ['relu', 'linear']
    """

    def within(kinds: Sequence[str]) -> bool:
        return costs.within(budget, mixed_recipe(costs.base, kinds_of_channels(groups, kinds), "plan"))

    tried: list[list[str]] = []
    if costs.objective is None and isinstance(budget, int):
        exact = least_risk_kinds(groups, costs.base.relu_count - budget)
        if exact is not None and within(exact):
            tried.append(exact)
    else:
        low, high = 0.0, sum(max(one.gain for one in group.options) for group in groups)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            kinds = least_risk_kinds(groups, middle)
            if kinds is not None and within(kinds):
                high = middle
                tried.append(kinds)
            else:
                low = middle
    tried.append([layers.get(group.path, "relu") for group in groups])

    def risk(kinds: Sequence[str]) -> float:
        return sum(group.option(kind).risk for group, kind in zip(groups, kinds, strict=True))

    return min(tried, key=risk)


def _groups(
    settings: PlanSettings,
    costs: PlanCosts,
    options: Mapping[tuple[str, str], LayerChoice],
    trainings: Trainings,
) -> list[ChannelGroup]:
    """Finds the effects of the channels of each layer and choice, and returns the groups of channels."""
    assert settings.channel_groups is not None
    outcomes = trainings.prepare(
        [
            trainings.job(
                "find-effects",
                f"effects-{path}-{choice}",
                costs.recipe({path: choice}),
                trainings.root / "sensitivity" / f"{path}-{choice}",
                path=path,
                start=trainings.root / "sensitivity" / f"{path}-{choice}" / "state.pt",
                validation_fraction=settings.sensitivity.validation_fraction,
            )
            for path, choice in options
        ]
    )
    found = {(path, choice): ended(outcomes[f"effects-{path}-{choice}"]).result for path, choice in options}
    effects = {key: result["effects"] for key, result in found.items() if result is not None}
    counts = {result["judging_count"] for result in found.values() if result is not None}
    least_risk = 50 / max(counts)  # half an image
    return channel_groups(options.values(), effects, settings.channel_groups, least_risk)
