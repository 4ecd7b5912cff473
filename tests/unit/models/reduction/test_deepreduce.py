"""DeepReDuce's search: its trainings, their order, and its handling of a training that fails."""

import csv
import dataclasses
import json

import pytest

torch = pytest.importorskip("torch")

from pi_bench.errors import DivergedError, ModelError, OutputError, TrainingError, UsageError
from pi_bench.models import load_recipe, parse_recipe
from pi_bench.models.deepreduce_plan import search_plan
from pi_bench.models.reduction.candidate import with_frontiers
from pi_bench.models.reduction.job import perform

from .conftest import InlineEngine, numbered, weights_of, without_exports


def criticalities(folder):
    with open(folder / "criticality.csv", newline="") as file:
        return list(csv.DictReader(file))


STEPS = ["1-cull", "1-thin", "1-alpha", "1-rho", "1-compound"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory, base, settings):
    from pi_bench.models.reduction.deepreduce import deepreduce

    folder, engine = tmp_path_factory.mktemp("searched"), InlineEngine()
    quiet = {"progress": lambda *_: None, "announce": lambda *_: None, "say": lambda words: None}
    with without_exports():
        return folder, deepreduce(base, settings, folder, engine, **quiet), engine.titles


def test_a_round_needs_the_one_before(searched):
    _, _, titles = searched
    assert titles == numbered(["teacher", "s1", "s2", "s1-kd", "s2-kd", *STEPS])


def test_the_candidates_are_the_plan_and_the_baseline(searched, base):
    folder, candidates, _ = searched
    order = [
        int(row["stage"]) for row in sorted(criticalities(folder), key=lambda row: float(row["criticality"]))
    ]
    planned = search_plan(base, order)
    assert [one.name for one in candidates] == [base.name, *(one.recipe.name for one in planned)]
    assert [one.relu_count for one in candidates[1:]] == [one.recipe.relu_count for one in planned]
    assert [one.step for one in candidates[1:]] == STEPS
    assert all(one.test_accuracy_pct is not None for one in candidates)
    for one, plan in zip(candidates[1:], planned, strict=True):
        assert parse_recipe((folder / one.folder / "recipe.toml").read_text(), "x") == plan.recipe
        assert (folder / "recipes" / f"{one.step}.toml").read_text() == (
            folder / one.folder / "recipe.toml"
        ).read_text()


def test_who_is_taught(searched):
    folder, candidates, _ = searched
    taught = {
        str(path.parent.relative_to(folder)): json.loads(path.read_text())["teacher"]
        for path in folder.rglob("result.json")
    }
    untaught = {name for name, teacher in taught.items() if teacher is None}
    assert untaught == {"teacher", "criticality/s1", "criticality/s2"}
    assert {teacher["name"] for teacher in taught.values() if teacher} == {candidates[0].name}


def test_one_stage_alone_is_what_criticality_is_measured_on(searched):
    folder, _, _ = searched
    recipes = {
        name: parse_recipe((folder / "criticality" / name / "recipe.toml").read_text(), name)
        for name in ("s1-kd", "s2-kd")
    }
    assert [recipes[name].culled_stages for name in recipes] == [(2,), (1,)]
    for row in criticalities(folder):
        result = json.loads((folder / "criticality" / f"s{row['stage']}-kd" / "result.json").read_text())
        assert float(row["accuracy_with_kd_pct"]) == pytest.approx(
            result["validation_accuracy_pct"], abs=1e-3
        )
        assert int(row["relu_count"]) == recipes[f"s{row['stage']}-kd"].relu_count


def test_a_finished_search_trains_nothing(searched, search):
    folder, candidates, _ = searched
    engine = InlineEngine()
    again, heard = search(folder, engine)
    assert engine.names == []
    assert again == candidates
    assert not any(fresh for _, fresh in heard)


def test_the_published_accuracies_lead_the_search(base, settings, search, tmp_path, monkeypatch):
    """Table 1's accuracies in place of trainings: the culling order is the paper's, S1 S4 S2 S3."""
    published = {"s1-kd": 59.85, "s2-kd": 68.79, "s3-kd": 69.92, "s4-kd": 63.16}

    class Published(InlineEngine):
        def run(self, jobs, progress):
            for one in jobs:
                accuracy = published.get(one.name, 50.0)
                result = {"validation_accuracy_pct": None, "test_accuracy_pct": accuracy, "teacher": None}
                yield one, json.dumps({"result": result})

    monkeypatch.setattr(
        "pi_bench.models.reduction.deepreduce._Search._write_recipes", lambda self, plan: None
    )
    monkeypatch.setattr("pi_bench.models.reduction.training_job._digest", lambda path: "")
    candidates, _ = search(tmp_path, Published(), base=load_recipe("resnet18-cifar100-557056"))
    assert len(candidates) == 1 + 5 * 3
    assert [one.relu_count for one in candidates if "cull" in one.step] == [229_376, 196_608, 65_536]


WILD = {"learning_rate": 1e6, "weight_decay": 1.0, "batch_size": 16}
"""Weights grow by six orders of magnitude per step: the loss is no number before the first epoch ends."""


class Diverging(InlineEngine):
    """Gives some jobs a training that diverges."""

    def __init__(self, *names):
        super().__init__()
        self.diverging = names

    def run(self, jobs, progress):
        broken = [job for job in jobs if job.name in self.diverging]
        for job in broken:
            arguments = dict(job.arguments)
            arguments["settings"] = arguments["settings"] | WILD
            worse = dataclasses.replace(job, arguments=arguments)
            self.names.append(job.name)
            yield job, perform(worse.to_json(), progress)
        yield from super().run([job for job in jobs if job not in broken], progress)


def test_a_diverged_candidate_is_listed_and_ends_nothing(search, tmp_path, no_export):
    candidates, _ = search(tmp_path, Diverging("1-thin", "1-rho"))
    failed = [one for one in candidates if one.failure]
    assert [one.step for one in failed] == ["1-thin", "1-rho"]
    assert all("diverged in epoch 1" in one.failure for one in failed)
    assert all(one.test_accuracy_pct is None for one in failed)
    marked = with_frontiers(candidates)
    assert not any(one.relu_frontier for one in marked if one.failure)
    assert any(one.relu_frontier for one in marked)
    # It would diverge again: the next run lists it without training it.
    engine = InlineEngine()
    again, _ = search(tmp_path, engine)
    assert (again, engine.names) == (candidates, [])


def test_a_stage_that_diverges_alone_counts_as_guessing(search, tmp_path, no_export):
    candidates, _ = search(tmp_path, Diverging("s2-kd"))
    rows = {row["stage"]: row for row in criticalities(tmp_path)}
    assert (rows["1"]["failure"], rows["2"]["accuracy_with_kd_pct"]) == ("", "")
    lead = float(rows["1"]["accuracy_with_kd_pct"]) - 10  # of ten classes
    least, most = ("2", "1") if lead > 0 else ("1", "2")
    expected = abs(lead) / (int(rows[most]["relu_count"]) / 1000) ** 0.07
    assert float(rows[least]["criticality"]) == 0
    assert float(rows[most]["criticality"]) == pytest.approx(expected, abs=1e-3)
    assert "diverged" in rows["2"]["failure"]
    assert len(candidates) == 6


def test_a_diverged_teacher_ends_the_search(search, tmp_path):
    with pytest.raises(DivergedError, match="the teacher: training diverged in epoch 1"):
        search(tmp_path, Diverging("teacher"))
    engine = InlineEngine()
    with pytest.raises(DivergedError, match="the teacher: training diverged"):
        search(tmp_path, engine)


@pytest.mark.usefixtures("no_export")
def test_a_given_order_and_teacher_skip_their_trainings(searched, search, settings, tmp_path):
    folder, _, _ = searched
    known = dataclasses.replace(settings, order=(2, 1), teacher=folder / "teacher")
    engine = InlineEngine()
    candidates, _ = search(tmp_path, engine, settings=known)
    assert engine.names == STEPS
    assert [one.method for one in candidates] == ["deepreduce"] * 5
    assert parse_recipe((tmp_path / "recipes" / "1-cull.toml").read_text(), "x").culled_stages == (2,)


def test_a_teacher_of_another_network_is_refused(searched, search, base, settings, tmp_path):
    folder, _, _ = searched
    wider = dataclasses.replace(base, alpha=2.0)
    taught = dataclasses.replace(settings, teacher=folder / "teacher")
    with pytest.raises(ModelError, match=r"the teacher in .* is another network, small-digits"):
        search(tmp_path / "out", InlineEngine(), base=wider, settings=taught)
    nowhere = dataclasses.replace(settings, teacher=tmp_path)
    with pytest.raises(ModelError, match="is not the folder of a training"):
        search(tmp_path / "out", InlineEngine(), settings=nowhere)
    assert not (tmp_path / "out").exists()


def test_reduction_starts_from_all_relus(search, base, tmp_path):
    culled = dataclasses.replace(base, culled_stages=(1,), stem_relu=False)
    with pytest.raises(ModelError, match="start from the network with all its ReLUs"):
        search(tmp_path / "out", InlineEngine(), base=culled)


def test_an_order_of_other_stages_is_refused(search, settings, tmp_path):
    with pytest.raises(UsageError, match=r"\[1, 3\] must name each of the stages 1 to 2 once"):
        search(tmp_path / "out", InlineEngine(), settings=dataclasses.replace(settings, order=(1, 3)))
    assert not (tmp_path / "out").exists()


def test_a_folder_holds_one_search(searched, search, settings):
    folder, _, _ = searched
    longer = dataclasses.replace(settings, training=dataclasses.replace(settings.training, epochs=2))
    with pytest.raises(TrainingError, match="holds another search, with another training"):
        search(folder, InlineEngine(), settings=longer)


def test_one_process_at_a_time(searched, search):
    folder, _, _ = searched

    class Nested(InlineEngine):
        def run(self, jobs, progress):
            search(folder, InlineEngine())
            yield from super().run(jobs, progress)

    (folder / "networks" / "1-cull" / "result.json").rename(folder / "kept")
    try:
        with pytest.raises(TrainingError, match="another process works in"):
            search(folder, Nested())
    finally:
        (folder / "kept").rename(folder / "networks" / "1-cull" / "result.json")


@pytest.mark.usefixtures("no_export")
def test_a_training_that_was_cut_goes_on(searched, search, base, tmp_path):
    """Killed in the middle of a round: the same networks, bit for bit."""
    folder, candidates, _ = searched

    class Cut(InlineEngine):
        def run(self, jobs, progress):
            for number, answer in enumerate(super().run(jobs, progress)):
                if len(self.names) == 7 and number:
                    raise KeyboardInterrupt
                yield answer

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, Cut())
    assert not (tmp_path / "networks" / "1-compound").exists()
    again, _ = search(tmp_path, InlineEngine())
    assert again == candidates
    assert weights_of(tmp_path) == weights_of(folder)


def test_a_full_disk_ends_the_search(search, tmp_path, monkeypatch):
    def full(path, content):
        raise OutputError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr("pi_bench.models.training.trainer.save_tensors", full)
    with pytest.raises(OutputError, match=r"teacher: cannot write .*checkpoint\.pt: No space left"):
        search(tmp_path, InlineEngine())
    assert not (tmp_path / "teacher" / "failed.json").exists()  # it is not the training's fault
