"""The work of each kind of job of a search: a call, and the result that the search reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..autorep.replacement import replace_relus
from ..autorep.settings import ReplacementSettings
from ..channel_effects import channel_effects
from ..darts.relaxation import relax_cells
from ..darts.settings import DartsSettings
from ..families.sphynx import cell_fault
from ..filter_criteria import CRITERIA
from ..lfpc.choice import choose_criteria
from ..lfpc.settings import CriteriaSettings
from ..linearization.descent import descend
from ..linearization.descent_settings import DescentSettings
from ..linearization.linearize import linearize, result_of
from ..linearization.settings import LinearizationSettings
from ..population.member import train_member
from ..recipe_schema import parse_recipe
from ..safenet.relaxation import relax_channels
from ..safenet.settings import RelaxationSettings
from ..senet.selection import select_masks
from ..senet.settings import SelectionSettings
from ..training import TrainingSettings
from .job_kind import Assignment, JobKind
from .merging_work import MERGING_FILE, merge_trained


def _linearize(given: Assignment) -> dict[str, Any]:
    settings = LinearizationSettings.from_dict(given["settings"])
    linearize(given.recipe, given.data, settings, given["budgets"], given.folder, **given.training)
    return _of_budgets(given)


def _descend(given: Assignment) -> dict[str, Any]:
    descend(
        given.recipe,
        Path(given["start"]),
        given["start_count"],
        given.data,
        DescentSettings.from_dict(given["settings"]),
        given["budgets"],
        given.folder,
        **given.training,
    )
    return _of_budgets(given)


def _select(given: Assignment) -> dict[str, Any]:
    settings = SelectionSettings.from_dict(given["settings"])
    select_masks(given.recipe, given.data, settings, given["budget"], given.folder, **given.training)
    return result_of(given.folder, given["budget"])


def _replace(given: Assignment) -> dict[str, Any]:
    settings = ReplacementSettings.from_dict(given["settings"])
    replace_relus(given.recipe, given.data, settings, given["budget"], given.folder, **given.training)
    return result_of(given.folder, given["budget"])


def _sample_criteria(given: Assignment) -> dict[str, Any]:
    pruned = parse_recipe(given["pruned"], given.recipe.name)
    settings = CriteriaSettings.from_dict(given["settings"])
    return {
        "layers": choose_criteria(given.recipe, pruned, given.data, settings, given.folder, **given.training)
    }


def _relax_channels(given: Assignment) -> dict[str, Any]:
    settings, costs, budget = RelaxationSettings.from_dict(given["settings"]), given["costs"], given["budget"]
    return relax_channels(given.recipe, given.data, settings, costs, budget, given.folder, **given.training)


def _relax_cells(given: Assignment) -> dict[str, Any]:
    settings, costs = DartsSettings.from_dict(given["settings"]), given["costs"]
    return relax_cells(
        given.recipe,
        given.data,
        settings,
        costs,
        given.folder,
        device=given["device"],
        progress=given.progress,
    )


def _find_effects(given: Assignment) -> dict[str, Any]:
    return channel_effects(
        given.recipe,
        given["path"],
        Path(given["start"]),
        given.data,
        given["validation_fraction"],
        device=given["device"],
        progress=given.progress,
    )


def _train_member(given: Assignment) -> dict[str, Any]:
    first, end = given["epochs"]
    return train_member(
        given.recipe,
        given.data,
        TrainingSettings(**given["settings"]),
        (first, end),
        given.folder,
        start=Path(given["start"]) if given["start"] else None,
        lineage=given["lineage"],
        **given.training,
    )


def _of_budgets(given: Assignment) -> dict[str, Any]:
    return {"budgets": [result_of(given.folder, budget) for budget in given["budgets"]]}


def _check_budgets(result: dict[str, Any]) -> object:
    return {budget["budget"] for budget in result["budgets"]}


def _check_criteria(result: dict[str, Any]) -> None:
    unknown = {layer["criterion"] for layer in result["layers"].values()} - set(CRITERIA)
    if unknown:
        raise ValueError(f"it names unknown criteria: {', '.join(sorted(map(str, unknown)))}")


def _check_effects(result: dict[str, Any]) -> None:
    if not all(effect >= 0 for effect in result["effects"]) or result["judging_count"] < 1:
        raise ValueError("it holds no effects")


def _check_cells(result: dict[str, Any]) -> None:
    for cell in result["cells"].values():
        if fault := cell_fault(tuple(cell)):
            raise ValueError(f"a cell {fault}")


KINDS = {
    "linearize": JobKind(
        words="linearization",
        file="budgets.json",
        identity=("recipe", "settings", "teacher_sha256"),
        work=_linearize,
        check=_check_budgets,
    ),
    "descend": JobKind(
        words="descent",
        file="budgets.json",
        identity=("recipe", "settings", "start_sha256", "teacher_sha256"),
        work=_descend,
        check=_check_budgets,
    ),
    "select": JobKind(
        words="choice of masks",
        file="selection.json",
        identity=("recipe", "settings", "budget", "teacher_sha256"),
        work=_select,
        check=lambda result: int(result["relu_count"]),
    ),
    "replace": JobKind(
        words="replacement",
        file="replacement.json",
        identity=("recipe", "settings", "budget", "teacher_sha256"),
        work=_replace,
        check=lambda result: int(result["relu_count_before"]),
    ),
    "sample-criteria": JobKind(
        words="choice of criteria",
        file="criteria.json",
        identity=("recipe", "pruned", "settings", "teacher_sha256"),
        work=_sample_criteria,
        check=_check_criteria,
    ),
    "relax-channels": JobKind(
        words="choice of channels",
        file="relaxed.json",
        identity=("recipe", "settings", "costs", "budget", "teacher_sha256"),
        work=_relax_channels,
        check=lambda result: (float(result["cost"]), dict(result["layers"])),
    ),
    "relax-cells": JobKind(
        words="choice of cells",
        file="cells.json",
        identity=("recipe", "settings", "costs"),
        work=_relax_cells,
        check=_check_cells,
    ),
    "find-effects": JobKind(
        words="effects of channels",
        file="channels.json",
        identity=("recipe", "path", "validation_fraction", "start_sha256"),
        work=_find_effects,
        check=_check_effects,
    ),
    "train-member": JobKind(
        words="member of a population",
        file="member.json",
        identity=("recipe", "settings", "epochs", "lineage", "teacher_sha256"),
        work=_train_member,
        check=lambda result: (float(result["test_accuracy_pct"]), result["validation_accuracy_pct"]),
    ),
    "merge": JobKind(
        words="merging",
        file=MERGING_FILE,
        identity=("recipe", "trained_sha256"),
        work=merge_trained,
        check=lambda result: result["trained_sha256"],
    ),
}
"""The kinds of jobs of searches by their names. `job` adds the training of a recipe."""
