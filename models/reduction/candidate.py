"""A network that a search has made, as a row of the search's table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..recipe import Recipe
from .frontier import on_frontier
from .job import JobOutcome
from .time_budgets import Budget, TimeBudget


@dataclass(frozen=True, slots=True)
class Candidate:
    """One network of a search. None stands for a figure that is not known.

    Attributes:
        name: the name of the recipe.
        method: "baseline", "deepreduce", "snl", …
        step: the change to the baseline, in the method's words.
        latency_s: the median online latency; `latency_q1_s` and `latency_q3_s` are its quartiles.
        online_bytes: the online bytes of both directions.
        offline_s: the median offline time.
        measured_for: protocol, mode, options and link of the measurement, in words.
        cautions: the codes of the cautions of the measurement, of which each makes these figures doubtful.
        predicted_s: the predicted time that the objective minimizes.
        predicted_for: objective, protocol and link of the prediction in words, with the options that are no
            defaults.
        budget_s: the largest predicted time that the network was searched for.
        failure: the reason for a missing accuracy or latency.
        folder: the folder of the network, relative to that of the table.
        relu_frontier: whether the network is on the frontier of accuracy over ReLUs.
        latency_frontier: whether it is on the frontier of accuracy over latency.
        predicted_frontier: whether it is on the frontier of accuracy over predicted time.

    >>> Candidate("a", "snl", "pixel-5000", 5000, test_accuracy_pct=90.0).accuracy_per_kilorelu
    18.0
    """

    name: str
    method: str
    step: str
    relu_count: int
    test_accuracy_pct: float | None = None
    validation_accuracy_pct: float | None = None
    latency_s: float | None = None
    latency_q1_s: float | None = None
    latency_q3_s: float | None = None
    online_bytes: int | None = None
    offline_s: float | None = None
    measured_for: str = ""
    cautions: tuple[str, ...] = ()
    predicted_s: float | None = None
    predicted_for: str = ""
    budget_s: float | None = None
    failure: str = ""
    folder: str = ""
    relu_frontier: bool = False
    latency_frontier: bool = False
    predicted_frontier: bool = False

    @property
    def accuracy_per_kilorelu(self) -> float | None:
        """The percent per thousand ReLUs, the last column of DeepReDuce's Tables 4 and 5."""
        if self.test_accuracy_pct is None or self.relu_count == 0:
            return None
        return self.test_accuracy_pct / (self.relu_count / 1000)

    @property
    def over_budget(self) -> bool:
        """Whether the trained network is predicted to take longer than its budget."""
        return self.predicted_s is not None and self.budget_s is not None and self.predicted_s > self.budget_s

    def measured(self, latency: Mapping[str, Any]) -> Candidate:
        """Returns the candidate with the figures of a result of `pi-bench latency --json`."""
        online = latency["online"]
        return replace(
            self,
            latency_s=online["latency_s"]["median"],
            latency_q1_s=online["latency_s"]["q1"],
            latency_q3_s=online["latency_s"]["q3"],
            online_bytes=sum(online["bytes"].values()),
            offline_s=latency["offline"]["time_s"],
            measured_for=measured_for(latency),
            cautions=caution_codes(latency),
        )

    def measured_s(self, objective: str) -> float | None:
        """Returns the measured time that `objective` minimizes. For "relus", that is the online time."""
        if objective != "total" or self.latency_s is None or self.offline_s is None:
            return self.latency_s
        return self.latency_s + self.offline_s


def measured_for(latency: Mapping[str, Any]) -> str:
    """Names the settings of a result of `pi-bench latency --json`. Times of other settings do not compare.

    >>> measured_for({"protocol": "fss", "mode": "exact", "options": {"ot": "ferret"}})
    'fss, loopback, mode exact, ot ferret'
    """
    link = latency.get("link", {}).get("name", "loopback")
    options = [f"{name.replace('_', ' ')} {value}" for name, value in latency.get("options", {}).items()]
    fuse = latency.get("arguments", {}).get("fuse")
    fused = [f"fuse {fuse}"] if fuse else []
    return ", ".join((latency["protocol"], link, f"mode {latency['mode']}", *options, *fused))


def measured_settings(candidates: Iterable[Candidate]) -> list[str]:
    """Returns the settings of the candidates' measurements in words, each once.

    Tables of earlier versions do not have them.

    >>> measured_settings([Candidate("a", "snl", "", 9, latency_s=0.25, measured_for="fss, lan, mode exact")])
    ['fss, lan, mode exact']
    """
    found = {one.measured_for for one in candidates if one.latency_s is not None}
    return sorted(found - {""})


def caution_codes(latency: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the codes of the cautions of a result of `pi-bench latency --json`.

    >>> caution_codes({"cautions": [{"code": "load", "text": "other programs took 20 % …", "phases": []}]})
    ('load',)
    """
    return tuple(caution["code"] for caution in latency.get("cautions", ()))


def candidate_of(
    method: str,
    step: str,
    recipe: Recipe,
    outcome: JobOutcome,
    root: Path,
    budget: Budget | None = None,
) -> Candidate:
    """Returns the candidate of a job that ended.

    Args:
        root: the folder of the table.
        budget: the budget that the network was searched for.

    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.reduction.job import Job
    >>> job = Job("train", "5000", "/tmp/snl/networks/5000", {})
    >>> recipe, outcome = load_recipe("resnet18-cifar100-12288"), JobOutcome(job, None, "diverged")
    >>> candidate = candidate_of("snl", "pixel-5000", recipe, outcome, Path("/tmp/snl"))
    >>> candidate.folder, candidate.test_accuracy_pct
    ('networks/5000', None)
    """
    result = outcome.result or {}
    return Candidate(
        name=recipe.name,
        method=method,
        step=step,
        relu_count=recipe.relu_count,
        test_accuracy_pct=result.get("test_accuracy_pct"),
        validation_accuracy_pct=result.get("validation_accuracy_pct"),
        budget_s=budget.seconds if isinstance(budget, TimeBudget) else None,
        failure=outcome.failure,
        folder=str(Path(outcome.job.folder).relative_to(root.absolute())),
    )


def judging_accuracy_pct(result: Mapping[str, Any]) -> float:
    """Returns the accuracy by which a search judges a training: on validation images, or else on test images.

    >>> judging_accuracy_pct({"validation_accuracy_pct": None, "test_accuracy_pct": 91.0})
    91.0
    """
    validation = result["validation_accuracy_pct"]
    return float(result["test_accuracy_pct"] if validation is None else validation)


def with_frontiers(candidates: Iterable[Candidate], objective: str = "relus") -> list[Candidate]:
    """Returns the candidates, the most expensive first, with the marks of all frontiers, by test accuracy.

    Args:
        objective: one of `objective.OBJECTIVES`. It ranks the candidates: by ReLUs, or by predicted time with
            those without a prediction at the end. With "total", the frontier of measured time is that of the
            sum of both phases. Times that were measured with different settings have no frontier.

    >>> found = with_frontiers([
    ...     Candidate("a", "snl", "", 1000, test_accuracy_pct=80.0),
    ...     Candidate("b", "snl", "", 2000, test_accuracy_pct=70.0),
    ... ])
    >>> [(one.name, one.relu_frontier) for one in found]
    [('b', False), ('a', True)]
    """
    rank = _by_relus if objective == "relus" else _by_predicted_time
    ordered = sorted(candidates, key=rank)
    accuracies = [one.test_accuracy_pct for one in ordered]
    by_relus = on_frontier([one.relu_count for one in ordered], accuracies)
    comparable = len(measured_settings(ordered)) < 2
    by_latency = on_frontier(
        [one.measured_s(objective) if comparable else None for one in ordered], accuracies
    )
    by_prediction = on_frontier([one.predicted_s for one in ordered], accuracies)
    return [
        replace(one, relu_frontier=relus, latency_frontier=latency, predicted_frontier=prediction)
        for one, relus, latency, prediction in zip(ordered, by_relus, by_latency, by_prediction, strict=True)
    ]


def _by_relus(one: Candidate) -> tuple[float, str, str]:
    return -one.relu_count, one.method, one.name


def _by_predicted_time(one: Candidate) -> tuple[float, str, str]:
    return (-one.predicted_s if one.predicted_s is not None else 0.0, one.method, one.name)
