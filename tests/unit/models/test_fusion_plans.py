"""Fusion of published networks keeps the same values on each machine: its plans are public."""

import pytest

from pi_bench.channel.link import Link
from pi_bench.launch.fusion_costs import costs_on
from pi_bench.models import load_recipe
from pi_bench.network.fusion.plan import Planner

torch = pytest.importorskip("torch")

from pi_bench.models.building import build
from pi_bench.network.lowering.lowering import lower
from tests.published import table

PLANS = table("fusion_plans.csv")
"""Recorded from the search of commit f1cd179, with weights of 15 bits."""


@pytest.mark.parametrize("recipe", dict.fromkeys(row["recipe"] for row in PLANS))
def test_plans_of_published_networks_are_those_on_record(recipe):
    found = load_recipe(recipe)
    graph = lower(build(found).eval(), torch.zeros(1, *found.input_shape))
    for row in (row for row in PLANS if row["recipe"] == recipe):
        link = None if row["link"] == "loopback" else Link.parse(row["link"])
        planner = Planner(graph, weight_bits=15, table=costs_on(link))
        assert " ".join(planner.best()) == row["kept"], row["link"]
