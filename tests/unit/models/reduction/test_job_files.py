"""The files that a job left in its folder, and folders of other jobs."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pi_bench.errors import TrainingError
from pi_bench.models import parse_recipe
from pi_bench.models.linearization.descent_settings import DescentSettings
from pi_bench.models.recipe_writing import format_recipe
from pi_bench.models.reduction import search_job, training_job
from pi_bench.models.reduction.job import Job
from pi_bench.models.reduction.search_work import KINDS


@pytest.mark.parametrize("text", ["", "[]", '{"recipe": ', '{"budgets": 3, "recipe": 7}', "\0"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_result_is_refused_in_one_line(kind: str, text: str, tmp_path: Path) -> None:
    name = KINDS[kind].file
    (tmp_path / name).write_text(text)
    with pytest.raises(TrainingError, match=rf"^cannot read {tmp_path / name}: .+; delete {tmp_path}$"):
        search_job.stored_result(Job(kind, "job", str(tmp_path), {}))


RECIPE = """
schema = 1
name = "small-digits"
family = "vgg"
dataset = "digits"
input_shape = [1, 8, 8]
class_count = 10
blocks = [1]
widths = [2]
"""


def test_the_identity_of_a_job_tells_it_from_others(tmp_path: Path) -> None:
    """Budgets that the folder lacks are no other job: the work goes on."""
    start, teacher, folder = tmp_path / "start.pt", tmp_path / "teacher", tmp_path / "descent"
    teacher.mkdir(), folder.mkdir()
    for path in (start, teacher / "state.pt"):
        path.write_bytes(b"weights")
    weights = hashlib.sha256(b"weights").hexdigest()
    recipe, settings = parse_recipe(RECIPE, "small"), DescentSettings()
    identity = {"recipe": format_recipe(recipe), "settings": settings.as_dict()}
    digests = {"start_sha256": weights, "teacher_sha256": weights}
    found = {"budgets": [{"budget": 30}, {"budget": 9}]}
    (folder / "budgets.json").write_text(json.dumps(identity | digests | found))

    def result(
        settings: DescentSettings = settings, budgets: tuple[int, ...] = (9,)
    ) -> dict[str, Any] | None:
        job = search_job.search_job(
            "descend",
            "descent",
            recipe,
            folder,
            settings=settings,
            budgets=budgets,
            start=start,
            start_count=60,
            teacher=teacher,
            data_dir=tmp_path,
            device="cpu",
            threads=1,
        )
        return search_job.stored_result(job)

    stored = result()
    assert stored is not None and stored["budgets"] == [{"budget": 9}]
    assert result(budgets=(9, 5)) is None
    with pytest.raises(TrainingError, match="holds a descent with another settings: choose another --output"):
        result(DescentSettings(tries=3))
    start.write_bytes(b"other weights")
    with pytest.raises(TrainingError, match="holds a descent with another start_sha256"):
        result()


def test_a_folder_of_another_training_is_refused(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"settings": {"epochs": 2}}')
    (tmp_path / "recipe.toml").write_text("schema = 1")
    same = {"recipe": "schema = 1", "settings": {"epochs": 2}, "teacher": None, "start": None}
    assert training_job.stored_result(Job("train", "job", str(tmp_path), same)) is not None
    other = {**same, "settings": {"epochs": 3}}
    with pytest.raises(
        TrainingError, match="holds a training with another settings: choose another --output"
    ):
        training_job.stored_result(Job("train", "job", str(tmp_path), other))
