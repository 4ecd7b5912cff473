"""The search plan holds the networks of Tables 4 and 5; missing ones are named."""

import dataclasses

import pytest

from pi_bench.errors import ModelError, UsageError
from pi_bench.models import load_recipe, parse_recipe, recipe_names
from pi_bench.models.criticality import only_stage
from pi_bench.models.deepreduce_plan import search_plan
from pi_bench.models.recipe_writing import format_recipe
from tests.published import table

BASE = {
    "cifar100": (load_recipe("resnet18-cifar100-557056"), (1, 4, 2, 3)),
    "tinyimagenet": (load_recipe("resnet18-tinyimagenet-2228224"), (1, 2, 4, 3)),
}


def shape(recipe):
    return dataclasses.replace(recipe, name="", published=None)


def plan_of(dataset):
    base, order = BASE[dataset]
    return search_plan(base, order)


@pytest.mark.parametrize("dataset", BASE)
def test_five_networks_an_iteration(dataset):
    plan = plan_of(dataset)
    assert len(plan) == 5 * (4 - 1)
    assert [entry.iteration for entry in plan] == [1] * 5 + [2] * 5 + [3] * 5
    assert [entry.step for entry in plan] == ["cull", "thin", "alpha", "rho", "compound"] * 3
    assert len({entry.recipe.name for entry in plan}) == 15
    for start in range(0, 15, 5):
        cull, *reduced = [entry.recipe.relu_count for entry in plan[start : start + 5]]
        # Section 3.3: thinning halves, alpha halves again, rho quarters, both are an eighth.
        assert [cull // count for count in reduced] == [2, 4, 8, 16]


@pytest.mark.parametrize(
    "name",
    [
        "resnet34-cifar100-966656",
        "resnet56-cifar100-532480",
        "vgg16-cifar10-276480",
        "vgg16-cifar10-avgpool-276480",
        "mobilenetv1-cifar100-411648",
    ],
)
def test_the_other_networks_of_the_paper_have_a_plan(name):
    base = load_recipe(name)
    stages = tuple(range(1, base.stage_count + 1))
    alone = [only_stage(base, stage) for stage in stages]
    stem = sum(layer.relu_count for layer in base.layers() if layer.stage == 0)
    assert sum(recipe.relu_count for recipe in alone) + stem == base.relu_count
    plan = search_plan(base, stages)
    assert len(plan) == 5 * (base.stage_count - 1)
    for start in range(0, len(plan), 5):
        cull, thin, alpha, rho, compound = [entry.recipe.relu_count for entry in plan[start : start + 5]]
        assert cull > thin > alpha > rho > compound > 0
        # Widths and sides are even here, so the scales divide exactly.
        assert (thin, thin, thin) == (2 * alpha, 4 * rho, 8 * compound)
    assert [entry.recipe.relu_count for entry in plan[::5]] == sorted(
        (entry.recipe.relu_count for entry in plan[::5]), reverse=True
    )


def test_thinning_keeps_the_first_relu_of_every_pair():
    vgg = dataclasses.replace(load_recipe("vgg16-cifar10-276480"), published=None, thinned_stages=(1, 3))
    kept = [path for path, _ in vgg.relu_shapes() if path.startswith(("stages.0", "stages.2"))]
    assert kept == ["stages.0.0.relu", "stages.2.0.relu", "stages.2.2.relu"]
    mobile = dataclasses.replace(load_recipe("mobilenetv1-cifar100-411648"), thinned_stages=(2,))
    kept = [path for path, _ in mobile.relu_shapes() if path.startswith("stages.1")]
    assert kept == ["stages.1.0.relu1", "stages.1.1.relu1"]  # after the depthwise convolutions


def test_the_most_critical_stage_is_never_culled():
    last = plan_of("cifar100")[-5].recipe
    assert last.culled_stages == (1, 2, 4)
    assert last.relu_count == 65536


@pytest.mark.parametrize("row", table("deepreduce_networks.csv"), ids=lambda row: row["relu_count"])
def test_tables_4_and_5_are_in_the_plan(row):
    published = shape(load_recipe(f"resnet18-{row['dataset']}-{row['relu_count']}"))
    planned = [shape(entry.recipe) for entry in plan_of(row["dataset"])]
    if not row["culled"]:
        assert published not in planned  # the baseline: where the search starts
    elif row["blocks"] != "2-2-2-2":
        # Tables 4 and 5 also show networks with fewer blocks ("*"); Figure 4 has no such step.
        assert published not in planned
    else:
        assert planned.count(published) == 1


def test_a_narrowed_baseline_has_its_own_search():
    base, order = BASE["cifar100"]
    narrow = dataclasses.replace(base, alpha=0.25, published=None)
    plan = search_plan(narrow, order)
    assert {entry.recipe.alpha for entry in plan} == {0.25, 0.125}
    full = plan_of("cifar100")
    assert [4 * entry.recipe.relu_count for entry in plan] == [entry.recipe.relu_count for entry in full]


@pytest.mark.parametrize("order", [(1, 2, 3), (1, 2, 3, 3), (0, 1, 2, 3), (1, 2, 3, 4, 5)])
def test_an_order_names_each_stage_once(order):
    with pytest.raises(UsageError, match="must name each of the stages 1 to 4 once"):
        search_plan(BASE["cifar100"][0], order)


def test_what_cannot_be_reduced_is_refused():
    with pytest.raises(ModelError, match="already"):
        search_plan(load_recipe("resnet18-cifar100-12288"), (1, 2, 3, 4))
    narrow = dataclasses.replace(BASE["cifar100"][0], widths=(1, 2, 2, 2), published=None)
    with pytest.raises(ModelError, match="'alpha'"):
        search_plan(narrow, (1, 2, 3, 4))
    small = dataclasses.replace(BASE["cifar100"][0], input_shape=(3, 8, 8), published=None)
    with pytest.raises(ModelError, match="'input_shape'"):
        search_plan(small, (1, 2, 3, 4))


def test_a_written_recipe_reads_back():
    for name in recipe_names():
        recipe = load_recipe(name)
        assert parse_recipe(format_recipe(recipe), name) == recipe


def test_a_written_recipe_keeps_what_needs_quoting():
    recipe = dataclasses.replace(load_recipe(recipe_names()[0]), name='a "b" \\ é', published=None)
    assert parse_recipe(format_recipe(recipe), "t") == recipe
