"""A network that a search has made, as a row of its table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..recipe import Recipe
from .frontier import on_frontier
from .job import Outcome


@dataclass(frozen=True, slots=True)
class Candidate:
    """None is what is not known: no accuracy of a diverged training, no latency where none was measured."""

    name: str
    method: str  # "baseline", "deepreduce", …
    step: str  # what was done to the baseline, in the method's words
    relu_count: int
    test_accuracy_pct: float | None = None
    validation_accuracy_pct: float | None = None
    latency_s: float | None = None  # online, median
    latency_q1_s: float | None = None
    latency_q3_s: float | None = None
    online_bytes: int | None = None  # both directions
    offline_s: float | None = None  # median
    failure: str = ""  # why accuracy or latency is missing
    folder: str = ""  # of the network, as seen from the table's
    relu_frontier: bool = False
    latency_frontier: bool = False

    @property
    def accuracy_per_kilorelu(self) -> float | None:
        """Percent per thousand ReLUs: the last column of DeepReDuce's Tables 4 and 5."""
        if self.test_accuracy_pct is None or self.relu_count == 0:
            return None
        return self.test_accuracy_pct / (self.relu_count / 1000)

    def measured(self, latency: Mapping[str, Any]) -> Candidate:
        """With the figures of a result of `pi-bench latency --json`."""
        online = latency["online"]
        return replace(
            self,
            latency_s=online["latency_s"]["median"],
            latency_q1_s=online["latency_s"]["q1"],
            latency_q3_s=online["latency_s"]["q3"],
            online_bytes=sum(online["bytes"].values()),
            offline_s=latency["offline"]["time_s"],
        )


def candidate_of(method: str, step: str, recipe: Recipe, outcome: Outcome, root: Path) -> Candidate:
    """Of a job that ended; `root` is the folder that the table will lie in."""
    result = outcome.result or {}
    return Candidate(
        name=recipe.name,
        method=method,
        step=step,
        relu_count=recipe.relu_count,
        test_accuracy_pct=result.get("test_accuracy_pct"),
        validation_accuracy_pct=result.get("validation_accuracy_pct"),
        failure=outcome.failure,
        folder=str(Path(outcome.job.folder).relative_to(root.absolute())),
    )


def with_frontiers(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Most ReLUs first, each marked where it is on a frontier, by test accuracy as the papers have it."""
    ordered = sorted(candidates, key=lambda one: (-one.relu_count, one.method, one.name))
    accuracies = [one.test_accuracy_pct for one in ordered]
    by_relus = on_frontier([one.relu_count for one in ordered], accuracies)
    by_latency = on_frontier([one.latency_s for one in ordered], accuracies)
    return [
        replace(one, relu_frontier=relus, latency_frontier=latency)
        for one, relus, latency in zip(ordered, by_relus, by_latency, strict=True)
    ]
