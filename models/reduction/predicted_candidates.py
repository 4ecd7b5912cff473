"""The predicted times of a search's trained networks, by which an objective of time ranks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pi_bench.errors import ModelError

from .candidate import Candidate
from .objective import TimeObjective


def predict_all(
    candidates: Sequence[Candidate], root: Path, objective: TimeObjective | None
) -> list[Candidate]:
    """Returns the candidates with the times that their model files are predicted to take.

    Without an objective of time, they have none. Neither has a network that failed.

    Args:
        root: the folder that the candidates' folders are relative to.

    Raises:
        InputError: The costs lack a unit.

    >>> trained = Candidate("a", "snl", "pixel-9", 9, predicted_s=0.25, predicted_for="online, fss, lan")
    >>> predict_all([trained], Path("snl"), None)[0].predicted_s is None
    True
    """
    return [_predicted(one, root / one.folder / "model.pt", objective) for one in candidates]


def _predicted(candidate: Candidate, model: Path, objective: TimeObjective | None) -> Candidate:
    candidate = replace(candidate, predicted_s=None, predicted_for="")
    if objective is None or candidate.failure:
        return candidate
    try:
        times = objective.of_model(model)
    except ModelError as error:
        return replace(candidate, failure=f"not predicted: {error}")
    return replace(candidate, predicted_s=times.of(objective.name), predicted_for=str(objective))
