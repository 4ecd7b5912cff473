"""Architectures from DARTS: relaxed networks are trained, and each gives the cells that it weighs most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pi_bench.errors import DivergedError

from ..architectures.sphynx_space import SphynxSpace
from ..recipe import Recipe
from .architecture_sizes import ArchitectureSizes
from .cell_costs import cell_costs
from .nas_settings import NasSearchSettings
from .trainings import Trainings


def relaxed_cells(
    space: SphynxSpace,
    sizes: ArchitectureSizes,
    settings: NasSearchSettings,
    trainings: Trainings,
    say: Callable[[str], None],
) -> dict[int, Recipe]:
    """Trains the relaxed networks, and returns the architectures of their cells by the number of the network.

    An architecture that several networks choose has the number of the first one.

    Raises:
        DivergedError: All trainings diverged.

    >>> from pathlib import Path
    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.architectures.settings import NasSettings
    >>> from pi_bench.models.reduction.job import JobOutcome
    >>> from pi_bench.models.training import TrainingSettings
    >>> class Diverged(Trainings):
    ...     def prepare(self, jobs):
    ...         return {job.name: JobOutcome(job, None, "training diverged") for job in jobs}
    >>> settings = NasSearchSettings(
    ...     budgets=(5000,), space="sphynx", judging=TrainingSettings(), training=TrainingSettings(),
    ...     strategy="darts", nas=NasSettings(candidates=1, finals=1), data_dir=Path("data"), device="cpu",
    ...     threads=1,
    ... )
    >>> space = SphynxSpace(load_recipe("sphynx-cifar100-25600"), settings.nas)
    >>> trainings = Diverged(Path("search"), None, settings, print, print)
    >>> try:
    ...     relaxed_cells(space, ArchitectureSizes(space, None), settings, trainings, print)
    ... except PiBenchError as error:
    ...     print(error)
      relaxed-0: FAILED: training diverged
    all relaxed networks diverged: use a lower --relaxed-learning-rate or --choice-learning-rate
    """
    darts = settings.darts
    timed = settings.objective is not None and darts.time_weight > 0
    costs = cell_costs(space, sizes, darts.width) if timed else {}
    jobs = [
        trainings.job(
            "relax-cells",
            f"relaxed-{number}",
            space.with_width(space.with_cells({}), darts.width),
            trainings.root / "relaxed" / str(number),
            settings=replace(darts, seed=darts.seed + number),
            costs=costs,
        )
        for number in range(settings.nas.candidates)
    ]
    found: dict[int, Recipe] = {}
    first: dict[str, int] = {}
    for number, (name, outcome) in enumerate(trainings.prepare(jobs).items()):
        if outcome.result is None:
            say(f"  {name}: FAILED: {outcome.failure}")
            continue
        architecture = space.with_cells(outcome.result["cells"])
        words = space.words(architecture)
        say(f"  {name}: {words}{f', as relaxed-{first[words]}' if words in first else ''}")
        if first.setdefault(words, number) == number:
            found[number] = architecture
    if not found:
        raise DivergedError(
            "all relaxed networks diverged: use a lower --relaxed-learning-rate or --choice-learning-rate"
        )
    return found
