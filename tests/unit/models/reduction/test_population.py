"""Population-based training of plans: draws, exchanges, resumption, and refusals."""

import csv
import dataclasses
import json

import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import DivergedError, TrainingError
from pi_bench.models.data import load_data
from pi_bench.models.planning import CHOICES, choices_of, with_choices
from pi_bench.models.population.member import train_member
from pi_bench.models.population.settings import FIRST_RATES, MOMENTA, RATES, PopulationSettings
from pi_bench.models.reduction.plan import PlanSettings, plan
from pi_bench.models.reduction.plan_costs import PlanCosts
from pi_bench.models.reduction.population import Member, Population
from pi_bench.models.reduction.training_job import teacher_of
from pi_bench.models.training import TrainingSettings

from .conftest import InlineEngine, numbered, weights_of, without_exports
from .test_budgets import run, run_killed
from .test_safenet import recipe_of

BUDGET = 300


@pytest.fixture(scope="module")
def population_settings(settings):
    tuned = TrainingSettings(epochs=1, learning_rate=0.01, soft_weight=1.0, interpolation=0.5)
    return PlanSettings(
        budgets=(BUDGET,),
        training=settings.training,
        sensitivity=tuned,
        finetuning=tuned,
        population=PopulationSettings(members=4, generations=3, generation_epochs=2, exchange_generations=1),
        data_dir=settings.data_dir,
        device="cpu",
        threads=1,
    )


@pytest.fixture(scope="module")
def evolved(base, population_settings, tmp_path_factory):
    folder, engine = tmp_path_factory.mktemp("population"), InlineEngine()
    with without_exports():
        return folder, run(plan, base, population_settings, folder, engine), engine.titles


def generations(folder):
    with open(folder / "population" / str(BUDGET) / "generations.csv", newline="") as file:
        return list(csv.DictReader(file))


def drawn(base, **changes):
    settings = PopulationSettings(members=8, **changes)
    return Population(BUDGET, PlanCosts(base, None), CHOICES, settings, TrainingSettings())


def test_members_have_plans_within_the_budget_that_depend_on_the_seed(base):
    members = drawn(base).drawn()
    costs = PlanCosts(base, None)
    assert all(costs.meets(BUDGET, member.choices) for member in members)
    assert {member.learning_rate for member in members} <= set(FIRST_RATES)
    assert len({tuple(sorted(member.choices.items())) for member in members}) > 4
    assert members == drawn(base).drawn() != drawn(base, seed=2).drawn()


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_the_worst_and_the_diverged_continue_from_the_best(base, fraction):
    population = drawn(base, drawn_fraction=fraction)
    members = [
        dataclasses.replace(member, source=place, accuracy_pct=50.0 + place, score=float(place))
        for place, member in enumerate(population.drawn())
    ]
    members[5] = dataclasses.replace(members[5], accuracy_pct=None, score=float("-inf"))
    found = population.exchanged(members, 10)
    # A quarter are two; member 5 has the lowest score of all.
    assert [place for place in range(8) if found[place] != members[place]] == [0, 5]
    for place in (0, 5):
        copied = members[found[place].source]
        assert found[place].source in (6, 7) and found[place].choices == copied.choices
        rate, momentum = found[place].learning_rate, found[place].momentum
        assert RATES[0] <= rate <= RATES[1] and MOMENTA[0] <= momentum <= MOMENTA[1]
        if not fraction:
            assert rate / copied.learning_rate == pytest.approx(0.8) or rate == pytest.approx(
                min(1.0, 1.2 * copied.learning_rate)
            )
    assert found == population.exchanged(members, 10)
    alone = [dataclasses.replace(one, accuracy_pct=None, score=float("-inf")) for one in members]
    alone[3] = members[3]
    assert {one.source for one in population.exchanged(alone, 10)} == {3}


def test_copies_go_on_from_the_state_of_the_best(evolved, base):
    folder, candidates, titles = evolved
    found = generations(folder)
    assert len(found) == 3 * 4
    members = [f"300-generation-{number}-member-{member}" for number in range(3) for member in range(4)]
    assert titles == numbered(["teacher", *members, "300"])
    copies = [row for row in found if row["from"] not in ("", row["member"])]
    assert len(copies) == 2  # one of four members in each of two exchanges
    for row in copies:
        before = {one["member"]: one for one in found if int(one["generation"]) == int(row["generation"]) - 1}
        assert float(before[row["from"]]["score"]) == max(float(one["score"]) for one in before.values())
        place = folder / "population" / str(BUDGET) / f"generation-{row['generation']}" / row["member"]
        lineage = json.loads((place / "member.json").read_text())["lineage"]
        assert lineage[-1] == [float(row["learning_rate"]), float(row["momentum"]), int(row["from"])]
    best = max(found[-4:], key=lambda row: float(row["score"]))
    recipe = recipe_of(folder / candidates[1].folder)
    assert recipe.relu_count <= BUDGET and choices_of(recipe)
    place = folder / "population" / str(BUDGET) / "generation-2" / best["member"]
    assert (
        json.loads((place / "member.json").read_text())["recipe"]
        == (folder / candidates[1].folder / "recipe.toml").read_text()
    )
    assert not list(folder.glob("population/*/generation-[01]/*/*.pt"))  # no generation continues from them


@pytest.mark.usefixtures("one_thread")
def test_a_generation_continues_the_one_before(evolved, base, population_settings, tmp_path):
    """Two of one epoch are one of two epochs, unless the learning rate changes between them."""
    data = load_data("digits", base.input_shape, data_dir=tmp_path)
    recipe = with_choices(base, {"stem.relu": "cubic", "stages.0.0.relu1": "linear"})
    settings = dataclasses.replace(population_settings.finetuning, epochs=2, schedule="constant")

    def trained(name, epochs, start=None, settings=settings):
        options = {"lineage": [], "teacher": teacher_of(str(evolved[0] / "teacher"))}
        train_member(recipe, data, settings, epochs, tmp_path / name, start=start, **options)
        return torch.load(tmp_path / name / "start.pt", weights_only=True)

    def same(one, other):
        return all(torch.equal(one[name], other[name]) for name in one)

    whole, _ = trained("whole", (0, 2)), trained("first", (0, 1))
    before = tmp_path / "first" / "member.pt"
    assert same(trained("second", (1, 2), before), whole)
    slower = dataclasses.replace(settings, learning_rate=1e-4)
    assert not same(trained("slower", (1, 2), before, slower), whole)
    with pytest.raises(TrainingError, match=r"there is no .*gone.pt, from which .* continues"):
        trained("lost", (1, 2), tmp_path / "gone.pt")


def test_relus_give_way_over_all_generations(evolved):
    logs = sorted(evolved[0].glob("population/*/generation-*/0/log.csv"))
    parts = []
    for log in logs:
        with open(log, newline="") as file:
            parts += [float(row["relu_part"]) for row in csv.DictReader(file)]
    assert parts[0] > 0.5 and parts[-1] == 0.0
    assert parts == sorted(parts, reverse=True)


@pytest.mark.usefixtures("no_export")
def test_a_population_that_was_killed_ends_with_the_same_weights(
    evolved, base, population_settings, tmp_path
):
    run_killed(plan, base, population_settings, tmp_path, ("300-generation-1-member-2", 1), ("300", 0))
    assert weights_of(tmp_path) == weights_of(evolved[0])
    assert generations(tmp_path) == generations(evolved[0])


def test_nothing_is_done_twice_and_other_populations_are_refused(evolved, base, population_settings):
    folder, candidates, _ = evolved
    engine = InlineEngine()
    assert run(plan, base, population_settings, folder, engine) == candidates
    assert engine.names == []
    for other in (PopulationSettings(), dataclasses.replace(population_settings.population, generations=4)):
        with pytest.raises(TrainingError, match="another search, with another population"):
            run(plan, base, dataclasses.replace(population_settings, population=other), folder)


def test_a_population_that_diverges_as_a_whole_ends_the_search(evolved, base, population_settings, tmp_path):
    wild = dataclasses.replace(
        population_settings,
        teacher=evolved[0] / "teacher",
        finetuning=dataclasses.replace(population_settings.finetuning, momentum=1.0, soft_weight=1.0),
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pi_bench.models.reduction.population.FIRST_RATES", (1e5,))
        with pytest.raises(DivergedError, match="all members of the population for --budget 300 diverged"):
            run(plan, base, wild, tmp_path)


def test_a_member_without_a_score_is_the_worst():
    assert Member({}, 0.1, 0.9).score == float("-inf")
