"""The files that a job left in its folder, and folders of other jobs."""

from pathlib import Path

import pytest

from pi_bench.errors import TrainingError
from pi_bench.models.reduction import linearization_job, merging_job, training_job
from pi_bench.models.reduction.job import Job

JOBS = {
    "linearization": (linearization_job, linearization_job.BUDGETS_FILE),
    "merging": (merging_job, merging_job.MERGING_FILE),
}


@pytest.mark.parametrize("text", ["", "[]", '{"recipe": ', '{"budgets": 3, "recipe": 7}', "\0"])
@pytest.mark.parametrize("kind", JOBS)
def test_a_damaged_result_is_refused_in_one_line(kind: str, text: str, tmp_path: Path) -> None:
    module, name = JOBS[kind]
    (tmp_path / name).write_text(text)
    with pytest.raises(TrainingError, match=rf"^cannot read {tmp_path / name}: .+; delete {tmp_path}$"):
        module.stored_result(Job(kind, "job", str(tmp_path), {}))


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
