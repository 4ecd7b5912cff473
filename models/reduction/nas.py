"""Architecture search: networks of a space that meet a budget, judged by short trainings.

    relaxed/N                    with DARTS, relaxed network N, whose cells are a candidate for each budget
    candidates/B/N               candidate N for budget B, trained for a few epochs
    candidates/B/candidates.csv  architecture, ReLUs, predicted time and validation accuracy of each
    networks/B/N                 the best candidates, trained in full from random weights
    budgets.json                 ReLUs and predicted time of the best candidate for each budget of time

Each candidate is as wide as the budget allows, so that none over the budget is ever trained. All candidates
have the same seed, and all full trainings have another one, so that a candidate that its seed has favored
starts anew. Candidates that are proposed at once do not depend on each other, and neither do the full
trainings. Weights of candidates are deleted, because the full trainings start anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pi_bench.errors import DivergedError, ModelError, UsageError
from pi_bench.progress import Progress

from ..architectures.space import Space
from ..architectures.spaces import space_of
from ..architectures.sphynx_space import SphynxSpace
from ..families.sphynx import SphynxRecipe
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..training.seeds import seed_of
from .architecture_sizes import ArchitectureSizes
from .candidate import Candidate, candidate_of
from .candidate_search import CandidateSearch
from .engine import Announce, Engine
from .nas_settings import DARTS, NasSearchSettings
from .relaxed_cells import relaxed_cells
from .search_folder import keep_budgets
from .teacher import require_teacher_for
from .time_budgets import Budget, found_budgets
from .trainings import opened_search


def nas(
    base: Recipe,
    settings: NasSearchSettings,
    root: Path,
    engine: Engine,
    *,
    progress: Progress,
    announce: Announce,
    say: Callable[[str], None],
) -> list[Candidate]:
    """Runs the search in the folder `root`, or resumes it. Budgets and candidates can be added later.

    `say` prints one line. The other arguments are those of `opened_search`.

    Args:
        base: a network of the space's family, whose images, stem and reductions the candidates have.

    Returns:
        The networks that were trained in full, diverged ones included.

    Raises:
        ModelError: `base` is no network that a space is made around, or the teacher is for other images.
        UsageError: No network of the space meets a budget, or none of the cells that DARTS finds meets any.
        DivergedError: All candidates for all budgets diverged.
        TrainingError: `root` holds another search.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.training import TrainingSettings
    >>> settings = NasSearchSettings(
    ...     budgets=(100,), space="sphynx", judging=TrainingSettings(), training=TrainingSettings(),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... )
    >>> base, quiet = load_recipe("sphynx-cifar100-25600"), dict(progress=print, announce=print, say=print)
    >>> try:
    ...     nas(base, settings, Path("search"), None, **quiet)
    ... except PiBenchError as error:
    ...     print(error)
    --budget 100: the smallest network of the space sphynx, 3 cells of 2 channels, has 6,144 ReLUs
    """
    space = _space_of(base, settings)
    if settings.teacher is not None:
        require_teacher_for(settings.teacher, base)
    sizes = ArchitectureSizes(space, settings.objective)
    relaxed = space if settings.strategy == DARTS and isinstance(space, SphynxSpace) else None
    for budget in settings.budgets:
        sizes.require(budget, None if relaxed is None else relaxed.cheap_like_base())
    training = replace(settings.training, seed=seed_of(settings.training.seed, "full trainings"))
    identity = {
        "space": settings.space,
        "recipe": format_recipe(space.base),
        "strategy": settings.strategy,
        "nas": settings.nas.identity(),
        "darts": None if relaxed is None else settings.darts.as_dict(),  # older folders lack the key
        "judging": settings.judging.as_dict(),
        "training": training.as_dict(),
    }
    with opened_search(
        "nas", identity, settings, root, engine, progress=progress, announce=announce
    ) as trainings:
        found = None if relaxed is None else relaxed_cells(relaxed, sizes, settings, trainings, say)
        searches = [
            CandidateSearch(space, sizes, budget, settings, trainings, say, found)
            for budget in settings.budgets
        ]
        best = {(budget, number): recipe for budget, number, recipe in _best_per_budget(searches, say)}
        given = {str(budget): budget for budget in settings.budgets}
        firsts: dict[Budget, Recipe] = {}
        for (text, _), recipe in best.items():
            firsts.setdefault(given[text], recipe)
        keep_budgets(found_budgets(firsts, sizes.seconds), root, settings.objective)
        outcomes = trainings.run(
            [
                trainings.training(
                    f"{budget}-{number}",
                    recipe,
                    training,
                    root / "networks" / budget / str(number),
                    settings.teacher,
                )
                for (budget, number), recipe in best.items()
            ]
        )
        return [
            candidate_of(
                "nas",
                f"{space.name}-{budget}-{number}",
                recipe,
                outcomes[f"{budget}-{number}"],
                root,
                given[budget],
            )
            for (budget, number), recipe in best.items()
        ]


def _space_of(base: Recipe, settings: NasSearchSettings) -> Space[Any]:
    """Returns the space around `base`. With DARTS, its networks have as many cells as `base`.

    Raises:
        ModelError: `base` is no network that a space is made around, or has no cell that DARTS can weigh.
        UsageError: A network with the reductions of `base` has more layers than the settings allow.
    """
    nas = settings.nas
    if settings.strategy == DARTS and isinstance(base, SphynxRecipe):
        count, most = sum(base.blocks), nas.entries()["most_layers"].high
        if count > most:
            raise ModelError(
                f"{base.name} has {count} cells: --search {DARTS} takes {most} at most, use another --network"
            )
        if count == base.strides.count(2):
            raise ModelError(
                f"{base.name} has no cell that keeps the size of its map: --search {DARTS} needs one, use "
                "another --network"
            )
        nas = replace(nas, least_layers=count, most_layers=count)
    space = space_of(settings.space, base, nas)
    if settings.strategy == DARTS and settings.darts.width > space.width_limit:
        raise UsageError(
            f"--relaxed-width {settings.darts.width}: a network like {base.name} has {space.width_limit} "
            "channels in its first stage at most"
        )
    return space


def _best_per_budget(
    searches: Sequence[CandidateSearch], say: Callable[[str], None]
) -> Iterator[tuple[str, int, Recipe]]:
    """Runs a search per budget, and yields budget, number and recipe of the best candidates.

    A budget without any is announced, and the search goes on with the others.

    Raises:
        UsageError: No budget has one, and no given architecture meets the first budget.
        DivergedError: No budget has one, and all candidates for the first budget diverged.
    """
    failures: list[UsageError | DivergedError] = []
    for one in searches:
        try:
            found = one.run()
        except (UsageError, DivergedError) as error:
            failures.append(error)
            if len(searches) > 1:
                say(f"  FAILED: {error}")
            continue
        yield from ((str(one.budget), number, recipe) for number, recipe in found)
    if len(failures) == len(searches):
        raise failures[0]
