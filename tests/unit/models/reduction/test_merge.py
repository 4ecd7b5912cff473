"""Merging of trained networks: its measurements and its trainings."""

import csv
import dataclasses
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from pi_bench.errors import ModelError, TrainingError, UsageError
from pi_bench.models import parse_recipe
from pi_bench.models.building import build
from pi_bench.models.criticality import only_stage
from pi_bench.models.recipe_export import load_state
from pi_bench.models.reduction.job import perform
from pi_bench.models.reduction.merge import (
    MergingSettings,
    default_finetuning,
    merge_networks,
    unmerged_candidates,
)
from pi_bench.models.reduction.merging_table import merging_rows, write_merging_table
from pi_bench.models.reduction.training_job import training_job
from pi_bench.models.training import TrainingSettings

from .conftest import InlineEngine, numbered, weights_of

QUIET = {"progress": lambda *_: None, "announce": lambda *_: None, "say": lambda words: None}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, base, settings):
    """A network whose first stage is culled, and the full one."""
    root = tmp_path_factory.mktemp("trained")
    training = dataclasses.replace(settings.training, epochs=3)
    for name, recipe in (("culled", only_stage(base, 2)), ("full", base)):
        arguments = {"data_dir": settings.data_dir, "device": "cpu", "threads": 1}
        job = training_job(name, recipe, training, root / name, **arguments)
        assert "result" in json.loads(perform(job.to_json(), lambda *_: None))
    return root


@pytest.fixture(scope="module")
def merging(trained):
    finetuning = TrainingSettings(**default_finetuning("digits") | {"epochs": 2})
    return MergingSettings(
        folders=(trained / "culled",),
        extent="full",
        finetuning=finetuning,
        data_dir=Path("nowhere"),
        device="cpu",
        threads=1,
    )


@pytest.fixture(scope="module")
def merged(tmp_path_factory, merging):
    root, engine = tmp_path_factory.mktemp("merged"), InlineEngine()
    return root, merge_networks(merging, root, engine, **QUIET), engine.titles


def test_a_network_is_merged_then_finetuned(merged, trained):
    root, (found,), titles = merged
    assert titles == numbered(["culled", "culled"])  # merging, finetuning
    recipe = parse_recipe((root / found.folder / "recipe.toml").read_text(), "x")
    before = parse_recipe((trained / "culled" / "recipe.toml").read_text(), "x")
    assert (recipe.merged, recipe.relu_count) == ("full", before.relu_count)
    assert recipe.name.endswith(f"-merged-{recipe.relu_count}")
    result = json.loads((root / found.folder / "result.json").read_text())
    assert result["teacher"]["name"] == before.name
    assert found.test_accuracy_pct == result["test_accuracy_pct"]
    assert (root / found.folder / "model.pt").is_file()


def test_what_merging_changes_is_written(merged, trained):
    root, _, _ = merged
    found = json.loads((root / "merged" / "culled" / "merging.json").read_text())
    result = json.loads((trained / "culled" / "result.json").read_text())
    assert found["test_accuracy_unmerged_pct"] == result["test_accuracy_pct"]
    # The stem and both stages of a block; all in front of the second stage's first ReLU is one convolution.
    assert (found["conv_count_unmerged"], found["conv_count"]) == (5, 2)
    effect = found["border_effect"]
    inside = [value for value in effect["values"] if value["inside_pct"] > 0]
    assert inside and all(value["inside_difference"] < 1e-5 for value in inside)
    assert all(value["border_difference"] > 1e-3 for value in effect["values"])
    assert effect["logit_difference"] > 0


def test_the_start_is_the_merged_network_itself(merged):
    """Its accuracy is that of the table, so the finetuning starts from there."""
    root, (found,), _ = merged
    module = build(parse_recipe((root / "merged" / "culled" / "recipe.toml").read_text(), "x"))
    load_state(module, root / "merged" / "culled" / "start.pt")
    result = json.loads((root / found.folder / "result.json").read_text())
    assert result["start_sha256"] is not None
    trained = torch.load(root / found.folder / "state.pt", weights_only=True)
    assert any(not torch.equal(value, trained[name]) for name, value in module.state_dict().items())


def test_the_table_has_every_figure(merged):
    root, candidates, _ = merged
    rows = merging_rows(candidates, root)
    write_merging_table(rows, root)
    with open(root / "merging.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["name"], row["extent"], row["conv_count_merged"]) == ("culled", "full", "2")
    for state in ("unmerged", "merged", "finetuned"):
        assert 0 <= float(row[f"test_{state}_pct"]) <= 100
    assert float(row["inside_difference"]) < 1e-5 < float(row["border_difference"])
    assert row["latency_s_merged"] == ""  # not measured


def test_a_finished_merging_does_nothing_twice(merged, merging):
    root, candidates, _ = merged
    engine, before = InlineEngine(), weights_of(root)
    assert merge_networks(merging, root, engine, **QUIET) == candidates
    assert engine.names == [] and weights_of(root) == before


def test_unmerged_networks_are_measured_in_folders_of_their_own(merged, merging, trained):
    root, _, _ = merged
    places = unmerged_candidates(merging, root)
    assert list(places) == ["unmerged", "kept-borders"]
    model = (trained / "culled" / "model.pt").read_bytes()
    for (candidate,) in places.values():
        assert (root / candidate.folder / "model.pt").read_bytes() == model


def test_what_cannot_be_merged_is_named(trained, merging, tmp_path, merged):
    def run(root=tmp_path / "out", **changes):
        return merge_networks(dataclasses.replace(merging, **changes), root, InlineEngine(), **QUIET)

    with pytest.raises(ModelError, match=r"full: there is nothing to merge in small-digits"):
        run(folders=(trained / "full",))
    with pytest.raises(ModelError, match=r"nowhere is not the folder of a finished training"):
        run(folders=(tmp_path / "nowhere",))
    with pytest.raises(UsageError, match=r"have the same name"):
        run(folders=(trained / "full", trained / "culled" / ".." / "full"))
    root, (found,), _ = merged
    with pytest.raises(ModelError, match=r"is merged already"):
        run(folders=(root / found.folder,))
    with pytest.raises(TrainingError, match=r"holds another search, with another extent"):
        run(root=root, extent="paper")
