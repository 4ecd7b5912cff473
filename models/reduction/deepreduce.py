"""DeepReDuce from a network with all its ReLUs to the candidates of its frontier (Jha et al., ICML 2021).

    recipes/             the base network and the search plan
    teacher/             the network with all its ReLUs
    criticality/s1 …     ReLUs in one stage only, trained without and with knowledge distillation (s1-kd)
    networks/1-cull …    the search plan: five networks per iteration, distilled from the teacher

There are three groups of trainings. The first one trains the teacher and the one-stage networks without
distillation. The second one trains the one-stage networks with distillation; their accuracies give the
culling order (equation 1). The third one trains the networks of the plan. Trainings of one group do not
depend on each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pi_bench.errors import DivergedError, UsageError
from pi_bench.progress import Progress

from ..criticality import only_stage, require_full
from ..deepreduce_plan import PlannedNetwork, search_plan
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..training import TrainingSettings
from ..training.training_files import write_whole
from .ablation import order_of
from .candidate import Candidate, candidate_of
from .engine import Announce, Engine
from .job import Job
from .teacher import require_full_teacher
from .time_budgets import TimeBudget, needs_objective, time_text
from .trainings import SearchSettings, Trainings, opened_search


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepReduceSettings(SearchSettings):
    """The settings of a DeepReDuce search, which trains every network alike.

    Attributes:
        training: the settings of every training.
        order: the stages from least to most critical. With None, equation 1 of the paper decides.
        budget: the largest predicted time of a network that is trained. With None, all of the plan are.

    >>> training = TrainingSettings(epochs=12)
    >>> DeepReduceSettings(training=training, data_dir=Path("data"), device="cpu", threads=1).order is None
    True
    """

    training: TrainingSettings
    order: tuple[int, ...] | None = None
    budget: TimeBudget | None = None


def deepreduce(
    base: Recipe,
    settings: DeepReduceSettings,
    root: Path,
    engine: Engine,
    *,
    progress: Progress,
    announce: Announce,
    say: Callable[[str], None],
) -> list[Candidate]:
    """Runs the search in the folder `root`, or resumes it.

    Args:
        base: the network with all its ReLUs.
        engine: runs the trainings.
        announce: called with each training's outcome.
        say: prints one line.

    Returns:
        The baseline, if it was trained here, and 5 * (D - 1) networks for D stages, diverged ones included.

    Raises:
        ModelError: `base` is already reduced, a network of the plan is impossible, or the teacher is another
            network or its weights cannot be used.
        UsageError: The order does not name each stage once, or no network is within the budget.
        TrainingError: The teacher diverged, or `root` holds another search.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> settings = DeepReduceSettings(
    ...     training=TrainingSettings(), data_dir=Path("data"), device="cpu", threads=1, order=(1, 2)
    ... )
    >>> base, quiet = load_recipe("resnet18-cifar100-557056"), dict(progress=print, announce=print, say=print)
    >>> try:
    ...     deepreduce(base, settings, Path("search"), None, **quiet)
    ... except PiBenchError as error:
    ...     print(error)
    the culling order [1, 2] must name each of the stages 1 to 4 once
    """
    require_full(base)
    # Whatever order is found, its last networks are among these, and they have the fewest layers with ReLUs.
    # So an impossible network, or an order of other stages, is refused before anything starts.
    ends = [settings.order] if settings.order is not None else _orders_by_last_stage(base)
    plans = [search_plan(base, order) for order in ends]
    if settings.budget is not None:
        within_budget([one for plan in plans for one in plan[-5:]], settings)
    if settings.teacher is not None:
        require_full_teacher(settings.teacher, base)
    identity = {
        "recipe": format_recipe(base),
        "training": settings.training.as_dict(),
        "order": None if settings.order is None else list(settings.order),
    }
    job_count = None
    if settings.budget is None:  # which networks are within a budget depends on the order
        single = 0 if settings.order is not None else 2 * base.stage_count
        job_count = (settings.teacher is None) + single + len(plans[0])
    with opened_search(
        "deepreduce",
        identity,
        settings,
        root,
        engine,
        progress=progress,
        announce=announce,
        job_count=job_count,
    ) as trainings:
        return _Search(base, settings, trainings, say).run()


def step_of(planned: PlannedNetwork) -> str:
    """Returns iteration and step of a planned network, which also name its folder.

    >>> from pi_bench.models import load_recipe
    >>> plan = search_plan(load_recipe("resnet18-cifar100-557056"), (1, 4, 2, 3))
    >>> step_of(plan[0])
    '1-cull'
    """
    return f"{planned.iteration}-{planned.step}"


def within_budget(plan: Sequence[PlannedNetwork], settings: DeepReduceSettings) -> list[PlannedNetwork]:
    """Returns the networks that are predicted to take at most the budget of time.

    Raises:
        UsageError: There is none, or no objective to predict times.

    >>> from pi_bench.errors import PiBenchError
    >>> settings = DeepReduceSettings(
    ...     training=TrainingSettings(), data_dir=Path("data"), device="cpu", threads=1,
    ...     budget=TimeBudget.parse("15ms"),
    ... )
    >>> try:
    ...     within_budget([], settings)
    ... except PiBenchError as error:
    ...     print(error)
    --budget 15ms is a time: add --objective online or --objective total
    """
    budget, objective = settings.budget, settings.objective
    if budget is None:
        return list(plan)
    if objective is None:
        raise UsageError(needs_objective(budget))
    times = [objective.of_recipe(one.recipe).of(objective.name) for one in plan]
    found = [one for one, time_s in zip(plan, times, strict=True) if time_s <= budget.seconds]
    if not found:
        raise UsageError(
            f"--budget {budget}: {time_text(min(times))} is the least that is predicted for a network of the "
            f"plan ({objective})"
        )
    return found


def _orders_by_last_stage(base: Recipe) -> list[tuple[int, ...]]:
    """Returns one culling order for each stage that can be the last to keep ReLUs."""
    stages = range(1, base.stage_count + 1)
    return [(*(other for other in stages if other != last), last) for last in stages]


@dataclass(frozen=True, slots=True)
class _Search:
    base: Recipe
    settings: DeepReduceSettings
    trainings: Trainings
    say: Callable[[str], None]

    def run(self) -> list[Candidate]:
        stages = range(1, self.base.stage_count + 1) if self.settings.order is None else ()
        single = {stage: only_stage(self.base, stage) for stage in stages}
        ablated = {stage: self._job(f"s{stage}", recipe, "criticality") for stage, recipe in single.items()}
        own = None if self.settings.teacher else self._job("teacher", self.base)
        first = self.trainings.run([*([own] if own else []), *ablated.values()])
        if own and first["teacher"].result is None:
            raise DivergedError(f"the teacher: {first['teacher'].failure}")
        root = self.trainings.root
        teacher = self.settings.teacher or root / "teacher"

        order = self.settings.order
        if order is None:
            taught = self.trainings.run(
                [self._job(f"s{k}-kd", recipe, "criticality", teacher) for k, recipe in single.items()]
            )
            order = order_of(
                single,
                {stage: first[f"s{stage}"] for stage in single},
                {stage: taught[f"s{stage}-kd"] for stage in single},
                root,
                self.settings.objective,
            )
        self.say(f"culling order: {', '.join(f'S{stage}' for stage in order)}")

        plan = search_plan(self.base, order)
        self._write_recipes(plan)
        if self.settings.budget is not None:
            count, plan = len(plan), within_budget(plan, self.settings)
            self.say(f"within {self.settings.budget}: {len(plan)} of the {count} networks of the plan")
        last = self.trainings.run([self._job(step_of(one), one.recipe, "networks", teacher) for one in plan])
        found = [
            candidate_of(
                "deepreduce", step_of(one), one.recipe, last[step_of(one)], root, self.settings.budget
            )
            for one in plan
        ]
        if own:
            found.insert(0, candidate_of("baseline", "", self.base, first["teacher"], root))
        return found

    def _job(self, name: str, recipe: Recipe, folder: str = "", teacher: Path | None = None) -> Job:
        place = self.trainings.root / folder / name
        return self.trainings.training(name, recipe, self.settings.training, place, teacher)

    def _write_recipes(self, plan: Sequence[PlannedNetwork]) -> None:
        """Writes the recipes of the whole plan before its first training."""
        folder = self.trainings.root / "recipes"
        folder.mkdir(exist_ok=True)
        recipes = {"full": self.base, **{step_of(one): one.recipe for one in plan}}
        for name, recipe in recipes.items():
            path = folder / f"{name}.toml"
            if not path.exists():
                write_whole(path, format_recipe(recipe).encode())
