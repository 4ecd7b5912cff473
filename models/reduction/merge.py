"""Merging of trained networks' adjacent linear layers, and the finetuning that adapts them to their borders.

merged/N                one trained network with its layers merged, and the effect of merging (`merging_work`)
merged/N/unmerged, …    its model file before merging, which is measured too
networks/N              finetuned with distillation from the unmerged network
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pi_bench.errors import ModelError, UsageError, reason
from pi_bench.network.fusion import CostTable
from pi_bench.progress import Progress

from ..building import build
from ..linearization import settings as linearization
from ..merging.extent_choice import cheapest_extent
from ..recipe import Recipe
from ..recipe_export import load_state
from ..recipe_schema import parse_recipe
from ..training import TrainingSettings
from ..training.training_files import START_FILE
from .candidate import Candidate, candidate_of
from .engine import Announce, Engine
from .merging_work import UNMERGED_FOLDERS, merged_recipe
from .teacher import require_teacher_for
from .trainings import SearchSettings, Trainings, ended, opened_search


@dataclass(frozen=True, slots=True, kw_only=True)
class MergingSettings(SearchSettings):
    """The settings of a merging. Without a teacher, each network learns from its own unmerged form.

    Attributes:
        folders: the folders of the trainings whose networks are merged.
        extent: how far to merge, one of `merging.extents.EXTENTS`, or the name of `costs`.
        finetuning: the settings of the merged networks' trainings.
        costs: public costs by which each network gets the cheapest extent. With None, all get `extent`.

    >>> MergingSettings(
    ...     folders=(Path("digits/networks/1-cull"),), extent="paper", finetuning=TrainingSettings(),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... ).extent
    'paper'
    """

    folders: tuple[Path, ...]
    extent: str
    finetuning: TrainingSettings
    costs: CostTable | None = None


def default_finetuning(data: str) -> dict[str, Any]:
    """Returns the settings of a finetuning on the data set `data`: those of SNL, but with Adam.

    Merged networks have no batch norm, and only an adaptive optimizer can train kernels of such different
    magnitudes at one learning rate.

    >>> default_finetuning("digits")["optimizer"]
    'adam'
    """
    changes = {"optimizer": "adam", "learning_rate": 1e-4, "weight_decay": 0.0}
    return linearization.default_finetuning(data) | changes


def trained_in(folder: Path) -> tuple[Recipe, dict[str, Any]]:
    """Returns the recipe and the settings of the finished training in `folder`.

    Raises:
        ModelError: `folder` is not the folder of a finished training.

    >>> try:
    ...     trained_in(Path("nowhere"))
    ... except ModelError as error:
    ...     print(str(error).partition(":")[0])
    nowhere is not the folder of a finished training
    """
    path = folder / "recipe.toml"
    try:
        recipe = parse_recipe(path.read_text(encoding="utf-8"), str(path))
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        settings = dict(result["settings"])
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} is not the folder of a finished training: {reason(error)}") from None
    for name in ("state.pt", "model.pt"):
        if not (folder / name).is_file():
            raise ModelError(f"{folder} is not the folder of a finished training: there is no {name}")
    return recipe, settings


def names_of(folders: Sequence[Path]) -> dict[str, Path]:
    """Returns the folders by their names in the output folder.

    Raises:
        UsageError: Two folders have the same name.

    >>> list(names_of([Path("digits/networks/1-cull"), Path("digits/networks/1-thin")]))
    ['1-cull', '1-thin']
    """
    found: dict[str, Path] = {}
    for folder in folders:
        name = folder.absolute().name
        if name in found:
            raise UsageError(
                f"{found[name]} and {folder} have the same name: merge them to two --output folders"
            )
        found[name] = folder
    return found


def merge_networks(
    settings: MergingSettings,
    root: Path,
    engine: Engine,
    *,
    progress: Progress,
    announce: Announce,
    say: Callable[[str], None],
) -> list[Candidate]:
    """Merges and finetunes in the folder `root`, or resumes that. Networks can be added later.

    Args:
        engine: runs mergings and trainings.
        announce: called with each training's outcome.
        say: prints one line.

    Returns:
        The finetuned networks, diverged ones included.

    Raises:
        ModelError: A folder is not a training, a network has nothing to merge, layers cannot be merged, or
            the weights of a network or of the teacher cannot be used.
        UsageError: Two networks have the same name.
        TrainingError: `root` holds another merging.
        OutputError: A file cannot be written.

    >>> settings = MergingSettings(
    ...     folders=(Path("nowhere"),), extent="paper", finetuning=TrainingSettings(),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... )
    >>> try:
    ...     merge_networks(settings, Path("merged"), None, progress=print, announce=print, say=print)
    ... except ModelError as error:
    ...     print(str(error).partition(":")[0])
    nowhere is not the folder of a finished training
    """
    folders = names_of(settings.folders)
    extents = {name: _extent(trained_in(folder)[0], settings) for name, folder in folders.items()}
    recipes = {name: merged_recipe(trained_in(folder)[0], extents[name]) for name, folder in folders.items()}
    for name, folder in folders.items():
        load_state(build(trained_in(folder)[0]), folder / "state.pt")
        if settings.teacher is not None:
            require_teacher_for(settings.teacher, recipes[name])
    identity = {
        "extent": settings.extent,
        "finetuning": settings.finetuning.as_dict(),
    }
    with opened_search(
        "merge",
        identity,
        settings,
        root,
        engine,
        progress=progress,
        announce=announce,
        job_count=2 * len(recipes),
    ) as trainings:
        _merged(settings, trainings, folders, recipes, extents, say)
        outcomes = trainings.run(
            [
                trainings.training(
                    name,
                    recipe,
                    settings.finetuning,
                    root / "networks" / name,
                    settings.teacher or folders[name],
                    root / "merged" / name / START_FILE,
                )
                for name, recipe in recipes.items()
            ]
        )
        return [
            candidate_of("merged", f"{extents[name]}-{name}", recipe, outcomes[name], root)
            for name, recipe in recipes.items()
        ]


def unmerged_candidates(settings: MergingSettings, root: Path) -> dict[str, list[Candidate]]:
    """Returns the networks before merging, to be measured as they are and with `--fuse`.

    The keys are "unmerged" and "kept-borders".

    >>> settings = MergingSettings(
    ...     folders=(), extent="paper", finetuning=TrainingSettings(),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... )
    >>> unmerged_candidates(settings, Path("merged"))
    {'unmerged': [], 'kept-borders': []}
    """
    return {
        place: [
            Candidate(recipe.name, place, name, recipe.relu_count, folder=f"merged/{name}/{place}")
            for name, folder in names_of(settings.folders).items()
            for recipe in (trained_in(folder)[0],)
        ]
        for place in UNMERGED_FOLDERS
    }


def _extent(recipe: Recipe, settings: MergingSettings) -> str:
    return settings.extent if settings.costs is None else cheapest_extent(recipe, settings.costs)


def _merged(
    settings: MergingSettings,
    trainings: Trainings,
    folders: dict[str, Path],
    recipes: Mapping[str, Recipe],
    extents: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    jobs = [
        trainings.job(
            "merge",
            name,
            recipes[name],
            trainings.root / "merged" / name,
            trained=folder,
            validation_fraction=settings.finetuning.validation_fraction,
        )
        for name, folder in folders.items()
    ]
    outcomes = trainings.prepare(jobs)
    for name in folders:
        result = ended(outcomes[name]).result
        assert result is not None
        convs = f"{result['conv_count_unmerged']} convolutions became {result['conv_count']}"
        accuracies = [f"{result[f'test_accuracy_{state}_pct']:.2f} %" for state in ("unmerged", "merged")]
        extent = f" ({extents[name]})" if settings.costs else ""
        say(f"  {name}: {convs}{extent}, test accuracy {' became '.join(accuracies)}")
