"""The kinds of jobs of searches: a function for the work, and what its result in the folder must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pi_bench.progress import Progress

from ..data import Dataset
from ..recipe import Recipe
from .training_job import teacher_of


@dataclass(frozen=True, slots=True)
class Assignment:
    """The work of one job, for the process that does it.

    Attributes:
        recipe: the network of the job.
        data: its data set.
        folder: the folder of the job, which is locked.
        values: the arguments of the job as JSON values.
        progress: called with the progress of the work.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("resnet18-cifar100-557056")
    >>> Assignment(recipe, None, Path("masks"), {"budget": 9}, print)["budget"]
    9
    """

    recipe: Recipe
    data: Dataset
    folder: Path
    values: dict[str, Any]
    progress: Progress

    def __getitem__(self, name: str) -> Any:
        """Returns the JSON value of an argument."""
        return self.values[name]

    @property
    def training(self) -> dict[str, Any]:
        """The teacher, device and progress, by the names that linearizations and the like have for them."""
        return {
            "teacher": teacher_of(self["teacher"]),
            "device": self["device"],
            "progress": self.progress,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """A kind of job.

    Attributes:
        words: the kind in words, such as "descent".
        file: the name of the file in the job's folder that holds the result.
        identity: the names of the values in the result that tell the job from others, in order. They are
            arguments of the job. A name such as start_sha256 is the digest of the weights at the path start.
        work: does the work, from the last checkpoint if there is one. It returns the result without the
            identity.
        check: reads the parts of a stored result that the search uses. A ValueError, KeyError, TypeError or
            AttributeError says that the file is damaged.

    >>> def count(given):
    ...     return {"relu_count": given.recipe.relu_count}
    >>> JobKind(words="count", file="count.json", identity=("recipe",), work=count, check=print).words
    'count'
    """

    words: str
    file: str
    identity: tuple[str, ...]
    work: Callable[[Assignment], dict[str, Any]]
    check: Callable[[dict[str, Any]], object]
