"""Equation 1 against the accuracies that the paper prints, and the parts of Table 3 that it does not give."""

import dataclasses

import pytest

from pi_bench.errors import ModelError
from pi_bench.models import load_recipe
from pi_bench.models.criticality import StageAccuracy, criticality, culling_order, only_stage
from tests.published import table

ROWS = table("deepreduce_stage_ablation.csv")
BLOCKS = {"ResNet18": (2, 2, 2, 2), "ResNet34": (3, 4, 6, 3)}
BASELINE = {"cifar100": "resnet18-cifar100-557056", "tinyimagenet": "resnet18-tinyimagenet-2228224"}


def stages_of(dataset, network, column="accuracy_with_kd_pct"):
    return [
        StageAccuracy(int(row["relus_in"][1:]), int(row["relu_count"]), float(row[column]))
        for row in ROWS
        if (row["dataset"], row["network"]) == (dataset, network) and row["relus_in"].startswith("S")
    ]


def printed(dataset, network):
    return {
        int(row["relus_in"][1:]): float(row["criticality"])
        for row in ROWS
        if (row["dataset"], row["network"]) == (dataset, network) and row["criticality"]
    }


@pytest.mark.parametrize(
    ("dataset", "network", "order"),
    [
        # In words, section 3.1: "from least to most critical, is S1 < S4 < S2 < S3", and S1 < S2 < S4 < S3.
        ("cifar100", "ResNet18", (1, 4, 2, 3)),
        ("cifar100", "ResNet34", (1, 4, 2, 3)),
        ("tinyimagenet", "ResNet18", (1, 2, 4, 3)),
        ("tinyimagenet", "ResNet34", (1, 2, 4, 3)),
    ],
)
def test_the_culling_order_follows_from_the_published_accuracies(dataset, network, order):
    assert culling_order(stages_of(dataset, network)) == order


def test_the_printed_criticalities_have_the_same_order():
    for network in BLOCKS:
        values = printed("tinyimagenet", network)
        assert tuple(sorted(values, key=values.__getitem__)) == (1, 2, 4, 3)


def test_resnet34_reproduces_as_printed():
    values = criticality(stages_of("tinyimagenet", "ResNet34"))
    assert values == pytest.approx(printed("tinyimagenet", "ResNet34"), abs=0.006)


def test_resnet18_is_printed_with_its_relus_counted_twice():
    stages = stages_of("tinyimagenet", "ResNet18")
    values = criticality(stages)
    assert {stage: round(value, 2) for stage, value in values.items()} == {1: 0, 2: 6.34, 3: 9.97, 4: 8.42}
    assert values != pytest.approx(printed("tinyimagenet", "ResNet18"), abs=0.006)
    doubled = [dataclasses.replace(entry, relu_count=2 * entry.relu_count) for entry in stages]
    assert criticality(doubled) == pytest.approx(printed("tinyimagenet", "ResNet18"), abs=0.006)


def test_order_without_distillation_differs():
    # Section 3.4: criticality without KD orders differently, which is why equation 1 asks for it.
    without = culling_order(stages_of("cifar100", "ResNet34", "accuracy_without_kd_pct"))
    assert without != culling_order(stages_of("cifar100", "ResNet34"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['dataset']}-{row['network']}-{row['relus_in']}")
def test_the_ablated_networks_have_the_printed_relus(row):
    base = dataclasses.replace(
        load_recipe(BASELINE[row["dataset"]]), blocks=BLOCKS[row["network"]], published=None
    )
    everything = tuple(range(1, 5))
    where = row["relus_in"]
    if where.startswith("S"):
        recipe = only_stage(base, int(where[1:]))
        assert not recipe.stem_relu
    elif where == "all":
        recipe = base
    else:
        recipe = dataclasses.replace(base, culled_stages=everything, stem_relu=where == "Conv1")
    assert recipe.relu_count == int(row["relu_count"])


def test_ties_cull_the_stage_with_more_relus_first():
    stages = [StageAccuracy(1, 10, 50.0), StageAccuracy(2, 20, 50.0), StageAccuracy(3, 5, 60.0)]
    assert culling_order(stages) == (2, 1, 3)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "every stage"),
        ([StageAccuracy(1, 5, 50.0)] * 2, "twice"),
        ([StageAccuracy(1, 0, 50.0)], "stage 1 has 0 ReLUs"),
        ([StageAccuracy(1, 5, 101.0)], "0 to 100"),
        ([StageAccuracy(1, 5, float("nan"))], "0 to 100"),
    ],
)
def test_impossible_accuracies_are_refused(stages, message):
    with pytest.raises(ModelError, match=message):
        criticality(stages)


def test_only_whole_networks_are_ablated():
    with pytest.raises(ModelError, match="no stage 5"):
        only_stage(load_recipe("resnet18-cifar100-557056"), 5)
    with pytest.raises(ModelError, match="already"):
        only_stage(load_recipe("resnet18-cifar100-12288"), 2)
    assert only_stage(load_recipe("resnet18-cifar100-557056"), 2).name == "resnet18-cifar100-only-s2"
