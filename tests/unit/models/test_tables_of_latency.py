"""The tables that `pi-bench table` prints hold every row of the papers' tables, each with its network."""

import pytest

from pi_bench.errors import ModelError, UsageError
from pi_bench.models import load_recipe
from pi_bench.models.published.tables import load_table, parse_networks, reduced, table_names
from tests.published import table

HEADER = "method,network,recipe,kept,relu_count,accuracy_pct,accuracy_without_kd_pct,latency_s,source,note"
OTHER_COUNT = {"ResNet10, rho=0.5": 77_824}
"""Rows whose printed count does not follow from their words; their notes say so."""


def number(text):
    return None if text == "" else float(text)


def printed(row):
    """The figures of a row of the reference data, whatever its columns are called."""
    thousands = row.get("relu_count_k")
    count = round(1000 * float(thousands)) if thousands else number(row.get("relu_count", ""))
    return (
        count,
        number(row.get("accuracy_with_kd_pct", "") or row.get("accuracy_pct", "")),
        number(row.get("accuracy_without_kd_pct", "")),
        number(row.get("latency_s", "")),
    )


def ours(row):
    return row.relu_count, row.accuracy_pct, row.accuracy_without_kd_pct, row.latency_s


@pytest.mark.parametrize(
    ("name", "file", "dataset"),
    [
        ("deepreduce-1", "deepreduce_stage_ablation.csv", "cifar100"),
        ("deepreduce-2", "deepreduce_thinning_vs_scaling.csv", "cifar100"),
        ("deepreduce-3", "deepreduce_stage_ablation.csv", "tinyimagenet"),
        ("deepreduce-7", "deepreduce_vs_shallow.csv", "cifar100"),
    ],
)
def test_tables_of_accuracy(name, file, dataset):
    rows = [row for row in table(file) if row["dataset"] == dataset]
    found = [ours(row) for row in load_table(name).networks]
    assert len(found) == len(rows)
    for row, mine in zip(rows, found, strict=True):
        assert mine == (printed(row) if row.get("relus_in") != "all" else mine), row


@pytest.mark.parametrize(
    ("name", "dataset"), [("deepreduce-4", "cifar100"), ("deepreduce-5", "tinyimagenet")]
)
def test_tables_4_and_5(name, dataset):
    rows = [row for row in table("deepreduce_networks.csv") if row["dataset"] == dataset]
    assert [(row.relu_count, row.latency_s) for row in load_table(name).networks] == [
        (int(row["relu_count"]), number(row["latency_s"])) for row in rows
    ]
    for row, mine in zip(rows, load_table(name).networks, strict=True):
        assert float(row["accuracy_pct"]) in (mine.accuracy_pct, mine.accuracy_without_kd_pct)
        # The network is the one of the words: a recipe names the same stages and scales.
        recipe = mine.built()
        names = [
            "+".join(f"S{stage}" for stage in stages)
            for stages in (recipe.culled_stages, recipe.thinned_stages)
        ]
        assert names == [row["culled"], row["thinned"]]
        assert (recipe.alpha, recipe.rho) == (float(row["alpha"]), float(row["rho"]))
        assert "-".join(map(str, recipe.blocks)) == row["blocks"]


def test_tables_6_and_8():
    found = {(row.method, row.accuracy_pct, row.latency_s) for row in load_table("deepreduce-6").networks}
    for row in table("deepreduce_vs_prior.csv"):
        for prefix, method in (("prior", row["prior"]), ("deepreduce", "DeepReDuce")):
            assert (method, float(row[f"{prefix}_accuracy_pct"]), float(row[f"{prefix}_latency_s"])) in found
    pruned = [(row.relu_count, row.accuracy_pct) for row in load_table("deepreduce-8").networks]
    assert pruned == [
        (round(1000 * float(row["relu_count_k"])), float(row["pruned_accuracy_pct"]))
        for row in table("deepreduce_vs_pruning.csv")
    ]


@pytest.mark.parametrize("name", table_names())
def test_networks_have_the_printed_count_or_a_note(name):
    for row in load_table(name).networks:
        recipe = row.built()
        if recipe is None:
            assert row.note, row
            continue
        wanted = OTHER_COUNT.get(row.network, row.relu_count)
        assert recipe.relu_count == pytest.approx(wanted, abs=500), row


def test_latencies_have_a_test_bed():
    for name in table_names():
        found = load_table(name)
        assert bool(found.test_bed) == any(row.latency_s for row in found.networks), name


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("SNL,ResNet18,,,15000,67.17,,1.5,Table 1", "line 2: 10 values are needed"),
        ("SNL,ResNet18,,,1.5,67.17,,1.5,Table 1,", r"relu_count is '1\.5'"),
        ("SNL,ResNet18,,,15000,nan,,1.5,Table 1,", "accuracy_pct is 'nan', a number from 0 to 100"),
        ("SNL,ResNet18,,,15000,67.17,,-1,Table 1,", "latency_s is '-1'"),
        ("SNL,,,,15000,67.17,,1.5,Table 1,", "network is empty"),
        ("SNL,ResNet18,,S1,15000,67.17,,1.5,Table 1,", "kept needs a recipe"),
    ],
)
def test_a_wrong_row_is_named(row, message):
    with pytest.raises(ModelError, match=message):
        parse_networks(f"{HEADER}\n{row}\n", "mine.csv")


def test_unknown_names_are_refused_with_similar_ones():
    with pytest.raises(UsageError, match="there is no table 'deepreduce4'; did you mean deepreduce-4"):
        load_table("deepreduce4")
    with pytest.raises(ModelError, match="the columns must be method"):
        parse_networks("method\n", "mine.csv")
    for kept in ("S5", "S1RT+", "all", "S1, alpha=x"):
        with pytest.raises(ModelError, match="names no parts of it"):
            reduced(load_recipe("resnet18-cifar100-557056"), kept)
