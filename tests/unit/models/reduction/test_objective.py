"""Objectives of time: predicted networks, their rank, budgets in ms, and plans that no machine changes."""

import csv
import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pi_bench.channel.link import Link
from pi_bench.costs import Costs
from pi_bench.errors import UsageError
from pi_bench.launch.fusion_costs import costs_on
from pi_bench.models import parse_recipe
from pi_bench.models.deepreduce_plan import search_plan
from pi_bench.models.linearization.masked_recipe import masked_recipe
from pi_bench.models.merging.extent_choice import cheapest_extent, linear_cost
from pi_bench.models.merging.extents import EXTENTS
from pi_bench.models.pruning import pruned_recipe, pruned_sizes
from pi_bench.models.recipe_export import export_recipe
from pi_bench.models.recipe_writing import format_recipe
from pi_bench.models.reduction import untrained
from pi_bench.models.reduction.candidate import Candidate, with_frontiers
from pi_bench.models.reduction.deepreduce import within_budget
from pi_bench.models.reduction.objective import PredictedTimes, TimeObjective
from pi_bench.models.reduction.pareto_table import read_table, write_table
from pi_bench.models.reduction.predicted_candidates import predict_all
from pi_bench.models.reduction.search_folder import keep_budgets, keep_costs, kept_budgets
from pi_bench.models.reduction.time_budgets import TimeBudget, budget_of, relu_budgets
from pi_bench.models.reduction.untrained import untrained_graph
from pi_bench.models.safenet.mixed_network import mixed_recipe
from pi_bench.network.fusion import Cost
from pi_bench.network.lowering.tracing import traced
from pi_bench.prediction.simulated_run import Setting
from pi_bench.registry import find_protocol

from .conftest import RECIPE

# A deep network whose masks keep 60 ReLUs, and one block that keeps all of its 1,024.
DEEP = RECIPE.replace("blocks = [1, 1]", "blocks = [3, 3]")
MASKS = ("pixel", "channel")
SHALLOW = RECIPE.replace("blocks = [1, 1]", "blocks = [1]").replace("widths = [2, 4]", "widths = [8]")


def objective(costs, link=None, name="online", protocol="delphi", mode=None, **given):
    info = find_protocol(protocol)
    return TimeObjective(name, info, info.configure(mode, given), Setting(costs, link and Link.parse(link)))


@pytest.fixture(scope="module")
def deep():
    return masked_recipe(parse_recipe(DEEP, "deep"), "pixel", 60)


@pytest.fixture(scope="module")
def shallow():
    return parse_recipe(SHALLOW, "shallow")


def test_time_ranks_networks_otherwise_than_relus(made_up_costs, deep, shallow, tmp_path):
    """On a wide-area network, rounds decide: the network with seventeen times as many ReLUs is faster."""
    candidates = []
    for recipe in (deep, shallow):
        export_recipe(recipe, tmp_path / "model.pt")
        (tmp_path / recipe.name).mkdir()
        (tmp_path / "model.pt").rename(tmp_path / recipe.name / "model.pt")
        candidates.append(
            Candidate(recipe.name, "snl", "", recipe.relu_count, test_accuracy_pct=90.0, folder=recipe.name)
        )
    by_relus = with_frontiers(candidates)
    assert [one.relu_frontier for one in by_relus] == [False, True]
    assert by_relus[1].name == deep.name
    wan = objective(made_up_costs, "wan")
    by_time = with_frontiers(predict_all(candidates, tmp_path, wan), "online")
    assert [one.name for one in by_time] == [deep.name, shallow.name]
    assert [one.predicted_frontier for one in by_time] == [False, True]
    assert by_time[0].predicted_for == "online, delphi, wan"
    # The network is predicted as well before it is trained, up to the bits that its export chooses.
    for one, recipe in zip(by_time, (deep, shallow), strict=True):
        assert wan.of_recipe(recipe).online_s == pytest.approx(one.predicted_s, rel=0.25)


def test_networks_that_differ_in_masks_or_kinds_are_traced_once(one_block, monkeypatch):
    """Their graphs are those of traces of their own."""
    masked = [masked_recipe(one_block, masks, count) for masks in MASKS for count in (8, 60)]
    kinds = [[0, 1, 2, 3], [1, 1, 2, 0], [0, 3, 3, 3]]
    mixed = [mixed_recipe(one_block, {"stages.0.0.relu1": np.array(one)}) for one in kinds]
    texts = list(map(format_recipe, [*masked, *mixed]))
    export, exports = torch.export.export, []
    monkeypatch.setattr(torch.export, "export", lambda *given: exports.append(1) or export(*given))

    def graphs():
        untrained_graph.cache_clear()
        return list(map(untrained_graph, texts))

    with monkeypatch.context() as patched:
        patched.setattr(
            untrained, "_trace", lambda one, module: traced(module, torch.zeros(1, *one.input_shape))
        )
        alone = graphs()
    assert len(exports) == len(texts)
    exports.clear()
    untrained._trace_of_alike.cache_clear()
    for one, other in zip(graphs(), alone, strict=True):
        assert (one.nodes, one.ranges, one.meta) == (other.nodes, other.ranges, other.meta)
        for field in ("parameters", "masks"):
            ones, others = getattr(one, field), getattr(other, field)
            assert ones.keys() == others.keys()
            assert all(np.array_equal(ones[name], others[name]) for name in ones)
    assert len(exports) == len(MASKS) + 1  # one for all mixtures


def test_the_objective_total_counts_both_phases(made_up_costs, shallow):
    times = objective(made_up_costs).of_recipe(shallow)
    assert 0 < times.of("online") < times.of("total") == times.online_s + times.offline_s
    measured = Candidate("a", "snl", "", 9, latency_s=0.25, offline_s=0.5)
    assert (measured.measured_s("online"), measured.measured_s("total")) == (0.25, 0.75)


def test_fusion_for_a_link_shortens_what_is_predicted_for_it(made_up_costs, deep):
    culled = dataclasses.replace(deep, kept_relus=None, culled_stages=(1,))
    plain = objective(made_up_costs, "wan")
    fused = dataclasses.replace(plain, fusion=costs_on(Link.parse("wan")), fusion_name="online:wan")
    assert fused.of_recipe(culled).online_s < plain.of_recipe(culled).online_s - 0.04  # at least a round trip
    assert str(fused) == "online, delphi, wan, --fuse online:wan"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "online, delphi, lan"),
        ({"mode": "windowed", "ot": "softspoken"}, "online, delphi, lan"),
        ({"mode": "exact"}, "online, delphi, lan, --mode exact"),
        ({"ot": "ferret"}, "online, delphi, lan, --ot ferret"),
        (
            {"mode": "truncated-sign", "sign_drop": 4, "label_chunk": 2},
            "online, delphi, lan, --mode truncated-sign, --label-chunk 2, --sign-drop 4",
        ),
    ],
)
def test_an_objective_says_the_options_that_are_no_defaults(made_up_costs, given, words):
    assert str(objective(made_up_costs, "lan", **given)) == words


def test_times_under_different_options_do_not_compare(made_up_costs, shallow, tmp_path):
    export_recipe(shallow, tmp_path / "model.pt")
    network = Candidate("a", "snl", "", shallow.relu_count, folder=".")
    usual, exact = (
        predict_all([network], tmp_path, objective(made_up_costs, "lan", mode=mode))
        for mode in (None, "exact")
    )
    assert usual[0].predicted_s < exact[0].predicted_s
    assert [one.predicted_s for one in predict_all([*usual, *exact], tmp_path, None)] == [None, None]


class OneMsPerRelu:
    """Predicts 1 ms per ReLU."""

    name = "online"

    def __init__(self):
        self.asked = []

    def of_recipe(self, recipe):
        self.asked.append(recipe.relu_count)
        return PredictedTimes(1e-3 * recipe.relu_count, 1.0)

    def __str__(self):
        return "online, delphi, lan"


def budgets(base, *texts, predicting=None, known=None):
    said = []
    given = [int(text) if text.isdigit() else TimeBudget.parse(text) for text in texts]
    found = relu_budgets(
        given,
        base,
        range(1, base.relu_count),
        lambda count: masked_recipe(base, "pixel", count),
        predicting,
        said.append,
        known,
    )
    return found, said


def test_a_time_becomes_the_largest_number_of_relus_within_it(base):
    predicting = OneMsPerRelu()
    found, said = budgets(base, "100.5ms", "7", "0.2s", predicting=predicting)
    assert found == (200, 100, 7)
    assert said[1] == "  --budget 100.5ms: 100 ReLUs, predicted to take 100 ms (online, delphi, lan)"
    assert len(predicting.asked) < 30


def test_no_network_is_predicted_twice_for_several_times(base):
    predicting = OneMsPerRelu()
    assert budgets(base, "100.5ms", "0.2s", "300ms", predicting=predicting)[0] == (300, 200, 100)
    assert predicting.asked.count(base.relu_count) == 1
    assert len(set(predicting.asked)) == len(predicting.asked)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("900us", r"--budget 900us: 1 ms is the least that is predicted for small-digits .*, with 1 ReLU$"),
        ("10s", r"--budget 10s: small-digits with all its ReLUs is predicted to take 512 ms"),
    ],
)
def test_a_time_that_cannot_be_a_budget_names_the_limit(base, text, message):
    with pytest.raises(UsageError, match=message):
        budgets(base, text, predicting=OneMsPerRelu())


def test_a_time_that_is_known_is_not_looked_for_again(base):
    known = {}
    predicting, (time, *more) = OneMsPerRelu(), ("100.5ms", "90.2ms", "90.7ms")
    found, said = budgets(base, time, predicting=predicting, known=known)
    assert (found, list(known)) == ((100,), [time])
    assert said[0] == "searching the number of ReLUs for 100.5ms (online, delphi, lan) …"
    del predicting.asked[:]
    assert budgets(base, time, predicting=predicting, known=known) == ((100,), said[1:])
    assert predicting.asked == []
    assert budgets(base, time, *more, predicting=predicting, known=known)[0] == (100, 90)
    times = [TimeBudget.parse(text) for text in (time, *more)]
    assert [budget_of(count, times, known) for count in (100, 90, 80)] == [*times[:2], None]


def test_budgets_stay_in_the_folder_with_the_costs_that_found_them(made_up_costs, tmp_path):
    lan, known = objective(made_up_costs, "lan"), {"15ms": (60, 0.0149)}
    keep_budgets(known, tmp_path, lan)
    assert kept_budgets(tmp_path, lan) == {}  # there are no costs
    keep_costs(lan, tmp_path)
    keep_budgets(known, tmp_path, lan)
    assert kept_budgets(tmp_path, lan) == known
    slower = objective(Costs({name: 2 * cost for name, cost in made_up_costs.unit_s.items()}, 1, {}), "lan")
    assert kept_budgets(tmp_path, slower) == {}
    keep_budgets({"15ms": (30, 0.0149)}, tmp_path, slower)
    assert kept_budgets(tmp_path, lan) == known
    keep_budgets({"9ms": (40, 0.0089)}, tmp_path, lan)
    assert kept_budgets(tmp_path, lan) == known | {"9ms": (40, 0.0089)}
    (tmp_path / "budgets.json").write_text("[")
    assert kept_budgets(tmp_path, lan) == {}


def test_pruning_leaves_only_its_own_numbers_of_relus(base):
    sizes = pruned_sizes(base)
    assert sizes and [pruned_recipe(base, size).relu_count for size in sizes] == sizes


def test_deepreduce_trains_only_what_is_within_the_budget(base, settings):
    plan = search_plan(base, (1, 2))
    counts = [one.recipe.relu_count for one in plan]

    def within(text):
        changed = dataclasses.replace(settings, objective=OneMsPerRelu(), budget=TimeBudget.parse(text))
        return [one.recipe.relu_count for one in within_budget(plan, changed)]

    limit = sorted(counts)[2]
    assert within(f"{limit}ms") == [count for count in counts if count <= limit] != counts
    with pytest.raises(UsageError, match=rf"1ms: {min(counts)} ms is the least that is predicted"):
        within("1ms")


def test_merging_for_a_link_depends_on_public_costs_alone(base, monkeypatch):
    """Rounds and truncations decide on a WAN. On one machine, full merging must add no offline bytes."""
    culled = dataclasses.replace(base, culled_stages=(1,), stem_relu=False)
    wan = costs_on(Link.parse("wan"))
    assert cheapest_extent(culled, wan) == "full"
    paper, full = (linear_cost(dataclasses.replace(culled, merged=extent), wan) for extent in EXTENTS)
    assert paper.online_s - full.online_s > 0.04  # at least a round trip

    def merged(full):
        costs = {"paper": Cost(2.0, 100), "full": full}
        monkeypatch.setattr(
            "pi_bench.models.merging.extent_choice.linear_cost", lambda one, _: costs[one.merged]
        )
        return [cheapest_extent(culled, table) for table in (wan, costs_on(None))]

    assert merged(Cost(1.0, 200)) == ["full", "paper"]
    assert merged(Cost(1.0, 100)) == ["full", "full"]
    assert merged(Cost(3.0, 50)) == ["paper", "paper"]


def test_a_protocol_or_a_cost_that_is_missing_is_named(made_up_costs, shallow):
    from pi_bench.errors import InputError

    with pytest.raises(UsageError, match="protocol ideal has no costs to predict times from: choose another"):
        objective(made_up_costs, protocol="ideal")
    lacking = Costs({"hop": 1e-6}, 1, {})
    with pytest.raises(InputError, match="the costs lack the unit"):
        objective(lacking, "wan").of_recipe(shallow)


def test_tables_of_earlier_versions_are_read(tmp_path):
    path = tmp_path / "pareto.csv"
    write_table(path, [Candidate("a", "snl", "", 9, predicted_s=0.25, predicted_for="online, delphi, lan")])
    assert read_table(path, tmp_path)[0].predicted_s == 0.25
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for name in [
            name for name in row if name.startswith("predicted") or name in ("budget_s", "cautions")
        ]:
            del row[name]
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert read_table(path, tmp_path) == [Candidate("a", "snl", "", 9, folder=".")]
