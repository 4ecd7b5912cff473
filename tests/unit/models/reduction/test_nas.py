"""Architecture search: budgets, the course of random search and evolution, resumption and refusals."""

import csv
import dataclasses
import json
import zlib

import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import DivergedError, ModelError, TrainingError, UsageError
from pi_bench.models import load_recipe, parse_recipe
from pi_bench.models.architectures.evolution import Proposer
from pi_bench.models.architectures.settings import NasSettings
from pi_bench.models.architectures.spaces import space_of
from pi_bench.models.recipe_writing import format_recipe
from pi_bench.models.reduction.architecture_sizes import ArchitectureSizes
from pi_bench.models.reduction.nas import NasSearchSettings, nas
from pi_bench.models.reduction.time_budgets import TimeBudget
from pi_bench.models.training import TrainingSettings
from pi_bench.models.training.seeds import seed_of

from .conftest import InlineEngine, weights_of, without_exports
from .test_budgets import run, run_killed
from .test_objective import objective

BUDGET = 1500


@pytest.fixture(scope="module")
def cnet():
    text = format_recipe(
        dataclasses.replace(
            load_recipe("cnet1-cifar100-86016"),
            name="small",
            dataset="digits",
            class_count=10,
            input_shape=(1, 8, 8),
        )
    )
    return parse_recipe(text, "small")


@pytest.fixture(scope="module")
def nas_settings(settings):
    numbers = {"candidates": 7, "finals": 2, "population": 3, "tournament": 2, "children": 2}
    return NasSearchSettings(
        budgets=(BUDGET,),
        space="cryptonas",
        nas=NasSettings(**numbers, most_layers=5),
        judging=settings.training,
        training=TrainingSettings(epochs=2, learning_rate=0.05),
        data_dir=settings.data_dir,
        device="cpu",
        threads=1,
    )


@pytest.fixture(scope="module")
def searched(cnet, nas_settings, tmp_path_factory):
    folder, engine = tmp_path_factory.mktemp("nas"), InlineEngine()
    with without_exports():
        return folder, run(nas, cnet, nas_settings, folder, engine), engine.names


def rows(folder, budget=BUDGET):
    with open(folder / "candidates" / str(budget) / "candidates.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_the_best_candidates_are_trained_in_full(searched):
    folder, candidates, names = searched
    found = rows(folder)
    assert len(found) == 7
    best = sorted(
        found,
        key=lambda row: (
            -float(row["validation_accuracy_pct"]),
            int(row["relu_count"]),
            int(row["candidate"]),
        ),
    )[:2]
    assert names == [
        *(f"1500-candidate-{number}" for number in range(7)),
        *(f"1500-{row['candidate']}" for row in best),
    ]
    assert [(one.method, one.step) for one in candidates] == [
        ("nas", f"cryptonas-1500-{row['candidate']}") for row in best
    ]
    for row in found:
        result = json.loads((folder / "candidates" / "1500" / row["candidate"] / "result.json").read_text())
        assert result["validation_accuracy_pct"] == pytest.approx(
            float(row["validation_accuracy_pct"]), abs=1e-3
        )
        assert result["settings"]["seed"] == 1 and result["teacher"] is None
        # One channel more would be over the budget.
        layers, width = int(row["layers"]), int(row["width"])
        assert 64 * layers * width == int(row["relu_count"]) == result["recipe"]["relu_count"] <= BUDGET
        assert 64 * layers * (width + 1) > BUDGET
    for row in best:  # a candidate that its seed has favored starts from other weights
        path = folder / "networks" / "1500" / row["candidate"] / "result.json"
        assert json.loads(path.read_text())["settings"]["seed"] == seed_of(1, "full trainings") != 1
    assert len({row["architecture"] for row in found}) == 7
    assert not list(folder.glob("candidates/*/*/*.pt"))


def test_children_are_changed_copies_of_the_best_of_the_latest(searched, cnet, nas_settings):
    found = rows(searched[0])
    assert [row["parent"] == "" for row in found] == [True] * 3 + [False] * 4
    accuracies = [float(row["validation_accuracy_pct"]) for row in found]
    for number in range(3, 7):
        latest = range((number - 3) // 2 * 2, (number - 3) // 2 * 2 + 3)
        parent = int(found[number]["parent"])
        assert parent in latest
        # Of three members two compete, so that the worst one wins against nobody.
        assert any(accuracies[parent] >= accuracies[other] for other in latest if other != parent)

    space = space_of("cryptonas", cnet, nas_settings.nas)
    proposer = Proposer(
        space, dataclasses.replace(nas_settings.nas, tournament=3), "evolution", lambda one: one, str(BUDGET)
    )
    first = proposer.after([])
    trials = [
        dataclasses.replace(one, accuracy_pct=rate)
        for one, rate in zip(first, (50.0, None, 60.0), strict=True)
    ]
    children = proposer.after(trials)
    assert [child.parent for child in children] == [2, 2]
    assert children == proposer.after(trials)
    old = [*(dataclasses.replace(one, accuracy_pct=99.0) for one in children), *trials]
    assert {child.parent for child in proposer.after(old)} == {4}  # the older ones left, however good


def test_random_search_draws_every_candidate(cnet, nas_settings):
    space = space_of("cryptonas", cnet, nas_settings.nas)

    def drawn(key, **changes):
        numbers = dataclasses.replace(nas_settings.nas, **changes)
        return [
            space.words(one.architecture)
            for one in Proposer(space, numbers, "random", lambda one: one, key).after([])
        ]

    found = drawn("1500")
    assert len(set(found)) == 7
    assert found == drawn("1500") == drawn("1500", candidates=9)[:7]
    assert zlib.crc32(b"1500") != zlib.crc32(b"900") and found != drawn("900")
    assert found != drawn("1500", seed=2)


@pytest.mark.usefixtures("no_export")
def test_a_search_that_was_killed_ends_with_the_same_networks(searched, cnet, nas_settings, tmp_path):
    assert (
        run_killed(nas, cnet, nas_settings, tmp_path, ("1500-candidate-4", 1), ("1500-candidate-5", 0))
        == searched[1]
    )
    assert rows(tmp_path) == rows(searched[0])
    assert weights_of(tmp_path / "networks") == weights_of(searched[0] / "networks")


@pytest.mark.usefixtures("no_export")
def test_candidates_finals_and_budgets_may_follow(searched, cnet, nas_settings):
    folder, candidates, _ = searched
    engine, before = InlineEngine(), rows(folder)
    assert run(nas, cnet, nas_settings, folder, engine) == candidates
    assert engine.names == []
    numbers = dataclasses.replace(nas_settings.nas, candidates=8, finals=1)
    run(nas, cnet, dataclasses.replace(nas_settings, nas=numbers), folder, engine)
    assert engine.names[0] == "1500-candidate-7" and rows(folder)[:7] == before
    other = dataclasses.replace(nas_settings, strategy="random")
    with pytest.raises(TrainingError, match="another search, with another strategy"):
        run(nas, cnet, other, folder)


@pytest.mark.usefixtures("no_export")
def test_a_budget_that_few_architectures_meet(cnet, nas_settings, tmp_path):
    """Two layers per stage would have 768 ReLUs; of three layers there are 64 architectures."""
    tight = dataclasses.replace(
        nas_settings.nas, most_layers=3, candidates=99, population=99, finals=1, skip_probability=0.0
    )
    space = space_of("cryptonas", cnet, tight)
    sizes = ArchitectureSizes(space, None)
    proposer = Proposer(space, tight, "random", lambda one: sizes.widest(one, 400))
    found = proposer.after([])
    assert len({space.words(one.architecture) for one in found}) == len(found) == 8
    assert {one.recipe.relu_count for one in found} == {384}


def test_a_budget_of_time_is_met_in_prediction(cnet, nas_settings, made_up_costs):
    lan = objective(made_up_costs, "lan")
    space = space_of("cryptonas", cnet, dataclasses.replace(nas_settings.nas, most_width=6))
    sizes = ArchitectureSizes(space, lan)
    smallest = space.smallest()
    wide = space.with_width(smallest, 4)
    budget = TimeBudget(sizes.seconds(wide), "4 channels")
    found = sizes.widest(smallest, budget)
    assert lan.of_recipe(found).online_s <= budget.seconds and found.widths[0] >= 4
    assert (
        found.widths[0] == 6
        or sizes.seconds(space.with_width(smallest, found.widths[0] + 1)) > budget.seconds
    )
    assert sizes.widest(smallest, TimeBudget(sizes.seconds(smallest) / 2, "half")) is None
    with pytest.raises(
        UsageError, match=r"--budget 1us: .* 3 layers of 2 channels, has 384 ReLUs, predicted"
    ):
        sizes.require(TimeBudget.parse("1us"))


@pytest.mark.usefixtures("no_export")
def test_a_search_of_which_all_candidates_diverge_ends(cnet, nas_settings, tmp_path):
    wild = dataclasses.replace(nas_settings.judging, epochs=4, learning_rate=1e6)
    numbers = dataclasses.replace(nas_settings.nas, candidates=2, finals=1)
    with pytest.raises(DivergedError, match="all candidates for --budget 1500 diverged"):
        run(nas, cnet, dataclasses.replace(nas_settings, judging=wild, nas=numbers), tmp_path)
    assert [row["validation_accuracy_pct"] for row in rows(tmp_path)] == ["", ""]


def test_what_is_refused(cnet, base, nas_settings, tmp_path):
    def refused(error, words, base=cnet, **changes):
        with pytest.raises(error, match=words):
            run(nas, base, dataclasses.replace(nas_settings, **changes), tmp_path / "out")

    refused(UsageError, "--budget 383: the smallest network .* has 384 ReLUs", budgets=(383,))
    refused(UsageError, "15ms is a time: add --objective", budgets=(TimeBudget.parse("15ms"),))
    refused(UsageError, "strategy is 'annealing', allowed: evolution, random, darts", strategy="annealing")
    unjudged = dataclasses.replace(nas_settings.judging, validation_fraction=0.0)
    refused(UsageError, "--validation 0: candidates are judged on validation images", judging=unjudged)
    refused(ModelError, "family resnet: --space cryptonas needs a network", base=base)
    refused(
        ModelError, "--teacher nowhere is not the folder", teacher=tmp_path.relative_to(tmp_path) / "nowhere"
    )
    (tmp_path / "recipe.toml").write_text(format_recipe(load_recipe("resnet18-cifar100-557056")))
    refused(ModelError, "is for other images or classes: its dataset is cifar100", teacher=tmp_path)
    assert not (tmp_path / "out").exists()
