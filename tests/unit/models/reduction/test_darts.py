"""DARTS over Sphynx' cells: relaxed networks, their choice and cost, halves of the images, and the search."""

import csv
import dataclasses
import itertools
import json

import numpy as np
import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import DivergedError, ModelError, TrainingError, UsageError
from pi_bench.models import load_recipe, parse_recipe
from pi_bench.models.architectures.settings import NasSettings
from pi_bench.models.architectures.spaces import space_of
from pi_bench.models.building import build
from pi_bench.models.darts.choice import CellChoice, edge_places, expected_cost
from pi_bench.models.darts.relaxation import relax_cells
from pi_bench.models.darts.relaxed_network import RelaxedSphynx
from pi_bench.models.darts.settings import DartsSettings
from pi_bench.models.data import Split, hold_out, load_data
from pi_bench.models.families.sphynx import NODE_COUNT, OPERATORS
from pi_bench.models.networks.sphynx import Cell, SideBySide
from pi_bench.models.recipe_writing import format_recipe
from pi_bench.models.reduction.architecture_sizes import ArchitectureSizes
from pi_bench.models.reduction.cell_costs import cell_costs
from pi_bench.models.reduction.nas import NasSearchSettings, nas
from pi_bench.models.reduction.search_folder import kept_budgets
from pi_bench.models.reduction.time_budgets import TimeBudget
from pi_bench.models.training.batches import Batches

from .conftest import InlineEngine, weights_of, without_exports
from .test_budgets import Killed, KilledAt, run
from .test_objective import objective

BUDGET = 500


def sphynx(**changes):
    shape = {"dataset": "digits", "class_count": 10, "input_shape": (1, 8, 8), "blocks": (2,)}
    shape |= {"widths": (8,), "strides": (2,)}
    changed = dataclasses.replace(load_recipe("sphynx-cifar100-25600"), name="small", **shape | changes)
    return parse_recipe(format_recipe(changed), "small")


@pytest.fixture(scope="module")
def base():
    return sphynx()


@pytest.fixture(scope="module")
def digits(base):
    """The first 80 training images."""
    whole = load_data("digits", base.input_shape, data_dir=None)
    return dataclasses.replace(whole, train=whole.train[np.arange(80)])


@pytest.fixture(scope="module")
def space(base):
    return space_of("sphynx", base, NasSettings(least_layers=2, most_layers=3))


@pytest.fixture(scope="module")
def one_cell():
    """A space of networks of one cell, whose predictions take the least time."""
    base = sphynx(blocks=(1,), strides=(1,))
    return space_of("sphynx", base, NasSettings(least_layers=1, most_layers=1))


@pytest.fixture(scope="module")
def darts_settings(settings):
    return NasSearchSettings(
        budgets=(BUDGET,),
        space="sphynx",
        strategy="darts",
        nas=NasSettings(candidates=2, finals=1),
        darts=DartsSettings(epochs=2, width=2, choice_rate=0.5, batch_size=256),
        judging=settings.training,
        training=settings.training,
        data_dir=settings.data_dir,
        device="cpu",
        threads=1,
    )


@pytest.fixture(scope="module")
def searched(base, darts_settings, tmp_path_factory):
    folder, engine = tmp_path_factory.mktemp("darts"), InlineEngine()
    with without_exports():
        return folder, run(nas, base, darts_settings, folder, engine), engine.names


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def edges(cell):
    """Node, source and operator of each edge of a cell."""
    for node, text in enumerate(cell):
        for part in text.split(","):
            operator, source = part.split()
            yield node, int(source), operator


def decided(cell):
    """The choice that gives the two edges of each node all weight."""
    choice, chosen = CellChoice(), {(node, source): name for node, source, name in edges(cell)}
    with torch.no_grad():
        for row, place in enumerate(edge_places()):
            choice.sources[row] = 0.0 if place in chosen else -1e9
            choice.operators[row] = -1e9
            choice.operators[row, OPERATORS.index(chosen.get(place, "skip"))] = 0.0
    return choice


def random_choice(seed):
    generator, choice = torch.Generator().manual_seed(seed), CellChoice().double()
    with torch.no_grad():
        for parameter in choice.parameters():
            parameter.copy_(2 * torch.randn(parameter.shape, generator=generator))
    return choice


def pairs_of(choice, node):
    """The probability of each pair of sources of a node, drawn one after the other, and the operators'."""
    at = [row for row, (of_node, _) in enumerate(edge_places()) if of_node == node]
    likely = np.exp(choice.sources.detach().numpy()[at])
    pairs = dict.fromkeys(itertools.combinations(range(len(at)), 2), 0.0)
    for one, two in itertools.permutations(range(len(at)), 2):
        rest = likely.sum() - likely[one]
        pairs[min(one, two), max(one, two)] += likely[one] / likely.sum() * likely[two] / rest
    operators = np.exp(choice.operators.detach().numpy()[at])
    return pairs, operators / operators.sum(axis=1, keepdims=True)


def give_weights(cell, relaxed, recipe, stride):
    """Copies the weights of a cell from those of the same operators of a relaxed cell."""
    for name in ("input0", "input1", "output"):
        getattr(cell, name).load_state_dict(getattr(relaxed, name).state_dict())
    for node, pair in enumerate(recipe.edges(stride)):
        for part, edge in zip(cell.nodes[node], pair, strict=True):
            wide = relaxed.nodes[edge.source][OPERATORS.index(edge.operator)]
            place = node - max(0, edge.source - 1)  # among the nodes that can read the source
            if isinstance(wide, SideBySide):
                part.load_state_dict(wide[place].state_dict(), strict=False)
                continue
            for name, value in part.state_dict().items():
                if name in wide.state_dict() and value.ndim:
                    many = wide.state_dict()[name]
                    at = place * len(value) if len(many) > len(value) else 0
                    value.copy_(many[at : at + len(value)])


@pytest.mark.parametrize("seed", range(2))
def test_a_decided_relaxed_network_computes_what_its_cells_do(space, seed):
    recipe = space.with_width(space.drawn(np.random.Generator(np.random.PCG64(seed))), 2)
    torch.manual_seed(seed)
    relaxed, plain = RelaxedSphynx(recipe), build(recipe)
    cells = {"normal": recipe.normal_cell, "reduction": recipe.reduction_cell}
    for kind, cell in cells.items():
        relaxed.choices[kind] = decided(cell)
    assert {kind: sorted(edges(cell)) for kind, cell in relaxed.cells().items()} == {
        kind: sorted(edges(cell)) for kind, cell in cells.items()
    }
    with torch.no_grad():
        for path, cell in plain.named_modules():
            if isinstance(cell, Cell):
                other = relaxed.get_submodule(path)
                give_weights(cell, other, recipe, 2 if other.kind == "reduction" else 1)
        plain.stem.load_state_dict(relaxed.stem.state_dict())
        plain.classifier.load_state_dict(relaxed.classifier.state_dict())
        images = torch.randn(8, *recipe.input_shape)
        torch.testing.assert_close(relaxed.train()(images), plain.train()(images))


def test_nodes_read_the_sources_with_the_heaviest_operators():
    choice = random_choice(2)
    for node in range(NODE_COUNT):
        pairs, operators = pairs_of(choice, node)
        strengths = {
            source: operators[source].max() * sum(part for pair, part in pairs.items() if source in pair)
            for source in range(len(operators))
        }
        best = sorted(sorted(strengths, key=strengths.get)[-2:])
        assert choice.cell()[node] == ", ".join(
            f"{OPERATORS[operators[source].argmax()]} {source}" for source in best
        )


@pytest.mark.parametrize("seed", range(3))
def test_expected_costs_are_means_over_the_cells_that_the_weights_can_choose(seed):
    choice, draws = random_choice(seed), np.random.Generator(np.random.PCG64(seed))
    costs = draws.random((2, len(OPERATORS)))
    wanted = 0.0
    for node in range(NODE_COUNT):
        pairs, operators = pairs_of(choice, node)
        means = [operators[source] @ costs[int(source > 1)] for source in range(len(operators))]
        wanted += sum(part * (means[one] + means[two]) for (one, two), part in pairs.items())
    found = expected_cost({"normal": choice}, {"normal": costs.tolist()})
    assert found.item() == pytest.approx(wanted)


def test_a_source_that_is_read_in_any_case_costs_the_same_whatever_its_weight():
    """The first node has two sources and reads both, so that their weights decide nothing."""
    choice = random_choice(4)
    costs = {"normal": [[0.0, 5.0, 9.0, 3.0, 4.0, 1.0]] * 2}
    before = expected_cost({"normal": choice}, costs)
    before.backward()
    assert choice.sources.grad[:2].tolist() == [0.0, 0.0] and choice.sources.grad[2:].abs().min() > 0
    with torch.no_grad():
        choice.sources[0] += 4
    assert expected_cost({"normal": choice}, costs).item() == before.item()
    for of_node in choice.weights():
        assert of_node.sum().item() == pytest.approx(2) and of_node.sum(dim=1).max() <= 1 + 1e-9


def test_expected_costs_are_those_of_decided_cells_and_means_in_between(space):
    costs = {"normal": [[0.0, 1.0, 3.0, 0.5, 2.0, 0.2], [0.1, 1.1, 3.1, 0.6, 2.1, 0.3]]}
    cells = [space.drawn(np.random.Generator(np.random.PCG64(seed))).normal_cell for seed in range(2)]
    for cell in cells:
        wanted = sum(costs["normal"][source > 1][OPERATORS.index(name)] for _, source, name in edges(cell))
        assert expected_cost({"normal": decided(cell)}, costs).item() == pytest.approx(wanted)
    free = {"normal": [[0.0] * 6, [7.0] * 6]}  # equal sources: none, 1/3, 2/4 and 3/5 are nodes
    assert expected_cost({"normal": CellChoice()}, free).item() == pytest.approx(14 * (1 / 3 + 1 / 2 + 3 / 5))


def trained(digits, space, folder, costs=None, **changes):
    """The log and the state after an epoch of one step."""
    numbers = {"epochs": 1, "width": 2, "batch_size": 32, "choice_rate": 0.1}
    recipe = space.with_width(space.with_cells({}), 2)
    result = relax_cells(recipe, digits, DartsSettings(**numbers | changes), costs or {}, folder)
    state = torch.load(folder / "checkpoint.pt", weights_only=True)["network"]
    return result["cells"], state, rows(folder / "log.csv")[-1]


def test_choices_learn_from_one_half_and_weights_from_the_other(digits, space, tmp_path):
    numbered = Split(np.arange(len(digits.train)), digits.train.labels)
    kept, unseen = hold_out(numbered, 0.1, 0)
    mine, held = hold_out(kept, 0.5, 0)
    network = {name for name, _ in RelaxedSphynx(space.with_cells({})).named_parameters()}

    def after(places, name, **changes):
        """The trained state if the images at some places are other ones of the same brightness."""
        images = digits.train.images.copy()
        images[places] = images[places][..., ::-1, :]
        other = dataclasses.replace(digits, train=Split(images, digits.train.labels))
        return trained(other, space, tmp_path / name, **changes)[1]

    def same(one, other, choices):
        return all(
            torch.equal(one[name], other[name])
            for name in network
            if name.startswith("choices.") == choices and (choices or ".conv" in name)
        )

    none = after([], "none")
    other = after(unseen.images, "unseen")
    assert same(none, other, True) and same(none, other, False)
    frozen = {"choice_rate": 1e-12}  # otherwise the weights of operators change the network's gradients
    fixed = after([], "fixed", **frozen)
    assert same(fixed, after(held.images, "held", **frozen), False)
    assert not same(none, after(held.images, "held-choices"), True)
    assert same(none, after(mine.images, "mine-choices"), True)
    assert not same(fixed, after(mine.images, "mine", **frozen), False)


def test_halves_of_one_length_have_different_orders(digits, space, tmp_path, monkeypatch):
    lengths, orders = [], []

    class Numbered(Batches):
        def varied(self, split, *drawn):
            numbers = dataclasses.replace(split, labels=torch.arange(len(split)))
            lengths.append(len(split))
            orders.append(torch.cat([order for _, order in super().varied(numbers, *drawn)]))
            return super().varied(split, *drawn)

    monkeypatch.setattr("pi_bench.models.darts.relaxation.Batches", Numbered)
    whole = load_data("digits", digits.image_shape, data_dir=None).train
    even = np.concatenate([np.flatnonzero(whole.labels == digit)[:13] for digit in range(10)])
    trained(dataclasses.replace(digits, train=whole[even]), space, tmp_path)
    one, other = orders
    assert lengths == [60, 60] and not torch.equal(one, other)


def test_a_relaxation_that_diverges_names_its_own_option(digits, space, tmp_path):
    with pytest.raises(DivergedError, match=r"use a lower --relaxed-learning-rate than 1e\+06"):
        trained(digits, space, tmp_path, learning_rate=1e6, epochs=6)


def test_a_log_that_lacks_the_last_epoch_gets_it(digits, space, tmp_path):
    *_, row = trained(digits, space, tmp_path)
    (tmp_path / "log.csv").unlink()  # as after a kill between the checkpoint and the log
    assert trained(digits, space, tmp_path)[2] == row


def test_the_expected_time_leads_to_cheap_operators(digits, space, tmp_path):
    dear = [5.0] * 6
    dear[OPERATORS.index("dil5")] = 1.0
    costs = {"normal": [dear, dear], "reduction": [dear, dear]}
    cells, _, row = trained(digits, space, tmp_path / "timed", costs, time_weight=1e4, choice_rate=2.0)
    assert {name for cell in cells.values() for _, _, name in edges(cell)} == {"dil5"}
    assert float(row["cost"]) < 0.9
    cells, _, row = trained(digits, space, tmp_path / "free", costs, time_weight=0.0, choice_rate=2.0)
    assert {name for cell in cells.values() for _, _, name in edges(cell)} != {"dil5"}


def test_the_cells_of_relaxed_networks_are_judged_and_the_best_trained(searched, space):
    folder, candidates, names = searched
    assert names[:2] == ["relaxed-0", "relaxed-1"]
    found = rows(folder / "candidates" / str(BUDGET) / "candidates.csv")
    chosen = [
        space.words(
            space.with_cells(json.loads((folder / "relaxed" / n / "cells.json").read_text())["cells"])
        )
        for n in "01"
    ]
    assert [row["architecture"] for row in found] == chosen  # with two seeds, two choices
    accuracies = [float(row["validation_accuracy_pct"]) for row in found]
    best = accuracies.index(max(accuracies))
    assert names[2:] == ["500-candidate-0", "500-candidate-1", f"500-{best}"]
    assert [(one.method, one.step) for one in candidates] == [("nas", f"sphynx-500-{best}")]
    assert [row["relaxed"] for row in found] == ["0", "1"]
    assert {row["parent"] for row in found} == {""} and {row["layers"] for row in found} == {"2"}
    # Two cells of 4 * 3 channels have 2 * 12 * 16 ReLUs; 4 * 4 channels would be too many.
    assert {(row["width"], row["relu_count"]) for row in found} == {("12", "384")}


@pytest.mark.usefixtures("no_export")
def test_a_search_that_was_killed_ends_with_the_same_networks(searched, base, darts_settings, tmp_path):
    with pytest.raises(Killed):
        run(nas, base, darts_settings, tmp_path, KilledAt("relaxed-1", 1))
    assert len(rows(tmp_path / "relaxed" / "1" / "log.csv")) == 1
    assert run(nas, base, darts_settings, tmp_path) == searched[1]
    assert weights_of(tmp_path / "networks") == weights_of(searched[0] / "networks")
    for file in ("relaxed/1/cells.json", f"candidates/{BUDGET}/candidates.csv"):
        assert (tmp_path / file).read_text() == (searched[0] / file).read_text()
    # Two steps of both optimizers followed, so that a momentum that was lost would show.
    states = [
        torch.load(folder / "relaxed" / "1" / "checkpoint.pt", weights_only=True)
        for folder in (tmp_path, searched[0])
    ]
    assert plain(states[0]) == plain(states[1])


def plain(value):
    """Tensors as bytes, and no seconds."""
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items() if "seconds" not in str(key)}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


class Backwards(InlineEngine):
    """The last of the jobs that run at once ends first."""

    def run(self, jobs, progress):
        return super().run(list(reversed(jobs)), progress)


def relaxed_to(monkeypatch, *cells):
    """Relaxed networks, by their seeds, choose these cells without a training."""
    monkeypatch.setattr(
        "pi_bench.models.reduction.search_work.relax_cells",
        lambda recipe, data, settings, costs, folder, **_: {"cells": cells[settings.seed - 1]},
    )


def uniform(name):
    return {kind: [f"{name} 0, {name} 1"] * 4 for kind in ("normal", "reduction")}


@pytest.mark.usefixtures("no_export")
def test_the_order_in_which_relaxed_networks_end_changes_nothing(base, darts_settings, monkeypatch, tmp_path):
    relaxed_to(monkeypatch, uniform("skip"), uniform("avg3"))
    found = run(nas, base, darts_settings, tmp_path, Backwards())
    table = (tmp_path / "candidates" / str(BUDGET) / "candidates.csv").read_text()
    assert [row["relaxed"] for row in csv.DictReader(table.splitlines())] == ["0", "1"]
    engine = InlineEngine()
    assert run(nas, base, darts_settings, tmp_path, engine) == found and engine.names == []
    assert (tmp_path / "candidates" / str(BUDGET) / "candidates.csv").read_text() == table


def test_a_budget_of_time_that_the_smallest_network_misses_and_another_one_meets_is_allowed(
    space, made_up_costs
):
    """A skip from an input is a factorized reduction in a reduction cell; the second cell has fewer."""
    sizes = ArchitectureSizes(space, objective(made_up_costs, "lan"))
    cheap = list(itertools.islice(space.cheap_like_base(), 2))
    skips, fewer = map(sizes.seconds, cheap)
    assert space.words(cheap[0]) == space.words(space.with_cells({})) and fewer < skips
    sizes.require(TimeBudget(fewer, "between"), cheap)
    with pytest.raises(UsageError, match=r"--budget below: the fastest of the smallest networks .* 2 cells"):
        sizes.require(TimeBudget(0.99 * fewer, "below"), cheap)


@pytest.mark.usefixtures("no_export")
def test_relaxed_networks_serve_all_budgets(searched, base, darts_settings):
    folder, candidates, _ = searched
    engine = InlineEngine()
    assert run(nas, base, darts_settings, folder, engine) == candidates
    assert engine.names == []
    run(nas, base, dataclasses.replace(darts_settings, budgets=(300,)), folder, engine)
    assert not [name for name in engine.names if name.startswith("relaxed")] and len(engine.names) == 3
    other = dataclasses.replace(darts_settings.darts, choice_rate=0.1)
    with pytest.raises(TrainingError, match="another search, with another darts"):
        run(nas, base, dataclasses.replace(darts_settings, darts=other), folder)


class SumOfOperators:
    """Predicts the sum of the operators' costs in all cells, by the kind of the cell and of the source."""

    def __init__(self, space):
        self._space, draws = space, np.random.Generator(np.random.PCG64(1))
        self.costs = {kind: draws.random((2, len(OPERATORS))) for kind in ("normal", "reduction")}

    def seconds(self, recipe):
        cells = {"normal": recipe.normal_cell, "reduction": recipe.reduction_cell}
        return sum(
            self.costs[kind][int(source > 1), OPERATORS.index(name)]
            for kind, cell in cells.items()
            for _, source, name in edges(cell)
        )


def test_operators_cost_what_networks_with_them_cost_beyond_the_cheapest(space):
    sizes = SumOfOperators(space)
    found = cell_costs(space, sizes, 2)
    assert sorted(found) == ["normal", "reduction"]
    for kind, costs in sizes.costs.items():
        np.testing.assert_allclose(found[kind], costs - costs.min(), atol=1e-12)


def test_operators_cost_the_time_that_networks_with_them_are_predicted_to_take(one_cell, made_up_costs):
    lan = objective(made_up_costs, "lan")
    costs = cell_costs(one_cell, ArchitectureSizes(one_cell, lan), 2)
    assert list(costs) == ["normal"] and [len(row) for row in costs["normal"]] == [6, 6]
    assert min(map(min, costs["normal"])) == 0
    for skip, conv3, conv5, dil3, dil5, _ in costs["normal"]:
        assert conv5 > conv3 > dil3 and conv5 > dil5 > dil3 > skip
    dear, cheap = (
        one_cell.with_cells({"normal": ["skip 0, skip 1", f"skip 0, {name} 2", *["skip 0, skip 1"] * 2]})
        for name in ("conv5", "dil3")
    )
    on_node = dict(zip(OPERATORS, costs["normal"][1], strict=True))
    assert on_node["conv5"] - on_node["dil3"] == pytest.approx(
        lan.of_recipe(dear).online_s - lan.of_recipe(cheap).online_s
    )


@pytest.mark.usefixtures("no_export")
def test_cells_beyond_a_budget_of_time_are_refused_or_left_out(
    base, space, darts_settings, made_up_costs, monkeypatch, tmp_path
):
    lan = objective(made_up_costs, "lan")
    cheap, dear = uniform("skip"), uniform("conv5")
    budget = TimeBudget(1.01 * lan.of_recipe(space.with_cells(cheap)).online_s, "cheap")
    untimed = dataclasses.replace(darts_settings.darts, time_weight=0.0)
    settings = dataclasses.replace(darts_settings, objective=lan, budgets=(budget,), darts=untimed)
    relaxed_to(monkeypatch, dear, cheap)
    (one,) = run(nas, base, settings, tmp_path / "one")
    recipe = parse_recipe((tmp_path / "one" / one.folder / "recipe.toml").read_text(), "x")
    assert recipe.normal_cell == tuple(cheap["normal"])
    time_s = lan.of_recipe(recipe).online_s
    assert kept_budgets(tmp_path / "one", lan) == {"cheap": (recipe.relu_count, time_s)}
    relaxed_to(monkeypatch, dear, dear)
    refusal = "--budget cheap: no cells that were found meet it at 2 channels"
    with pytest.raises(UsageError, match=refusal):
        run(nas, base, settings, tmp_path / "none")
    ample = TimeBudget(1.01 * lan.of_recipe(space.with_cells(dear)).online_s, "ample")
    both, lines = dataclasses.replace(settings, budgets=(budget, ample)), []
    quiet = {"progress": lambda *_: None, "announce": lambda *_: None}
    (one,) = nas(base, both, tmp_path / "both", InlineEngine(), say=lines.append, **quiet)
    assert one.step == "sphynx-ample-0" and one.test_accuracy_pct is not None
    assert [line for line in lines if line.startswith(f"  FAILED: {refusal}")]


def test_what_is_refused(base, darts_settings, tmp_path):
    def refused(error, words, base=base, **changes):
        with pytest.raises(error, match=words):
            run(nas, base, dataclasses.replace(darts_settings, **changes), tmp_path / "out")

    refused(UsageError, "--search darts goes with --space sphynx", space="cryptonas")
    refused(UsageError, "--budget 255: .* 2 cells of 2 channels, has 256 ReLUs", budgets=(255,))
    refused(ModelError, "small has no cell that keeps the size of its map", base=sphynx(blocks=(1,)))
    wide = dataclasses.replace(darts_settings.darts, width=300)
    twice = sphynx(blocks=(1, 2), strides=(2, 2), widths=(8, 32))
    refused(UsageError, "--relaxed-width 300: .* has 256 channels .* at most", base=twice, darts=wide)
    long = sphynx(blocks=(40, 30), strides=(2, 1), widths=(8, 8))
    refused(ModelError, "has 70 cells: --search darts takes 64 at most", base=long)
    refused(ModelError, "needs a network of the family sphynx", base=load_recipe("cnet1-cifar100-86016"))
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelError, match="has no cells that can be relaxed"):
        cnet = load_recipe("cnet1-cifar100-86016")
        relax_cells(cnet, None, DartsSettings(), {}, tmp_path)
