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

    Without an objective of time, they keep the times that they have if all of these are for the same
    objective, protocol and link, and lose them otherwise, because such times do not compare. A network that
    failed has none.

    Args:
        root: the folder that the candidates' folders are relative to.

    Raises:
        InputError: The costs lack a unit.

    >>> lan = Candidate("a", "snl", "pixel-9", 9, predicted_s=0.25, predicted_for="online, fss, lan")
    >>> wan = replace(lan, predicted_for="online, fss, wan")
    >>> [one.predicted_s for one in predict_all([lan], Path("snl"), None)]
    [0.25]
    >>> [one.predicted_s for one in predict_all([lan, wan], Path("snl"), None)]
    [None, None]
    """
    if objective is None and len(predicted_settings(candidates)) < 2:
        return list(candidates)
    return [_predicted(one, root / one.folder / "model.pt", objective) for one in candidates]


def predicted_settings(candidates: Sequence[Candidate]) -> list[str]:
    """Returns the objectives, protocols and links of the candidates' predictions in words, each once.

    >>> predicted_settings([Candidate("a", "snl", "", 9, predicted_s=0.25, predicted_for="online, fss, lan")])
    ['online, fss, lan']
    """
    return sorted({one.predicted_for for one in candidates if one.predicted_s is not None})


def _predicted(candidate: Candidate, model: Path, objective: TimeObjective | None) -> Candidate:
    candidate = replace(candidate, predicted_s=None, predicted_for="")
    if objective is None or candidate.failure:
        return candidate
    try:
        times = objective.of_model(model)
    except ModelError as error:
        return replace(candidate, failure=f"not predicted: {error}")
    return replace(candidate, predicted_s=times.of(objective.name), predicted_for=str(objective))
