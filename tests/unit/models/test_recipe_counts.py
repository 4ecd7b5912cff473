"""Every recipe that comes with pi-bench: its counts are known from elsewhere, and are those of its module."""

import pytest

from pi_bench.models import load_recipe, recipe_names
from pi_bench.models.families import FAMILIES

torch = pytest.importorskip("torch")

from pi_bench.models.building import build
from tests.checked_norms import checked_norms
from tests.published import table

KNOWN = table("networks.csv")
UNITS = {"M": 1e6, "G": 1e9}


def agrees(count, printed):
    """Whether a count rounds to the printed one: "11220132", "0.27M", "4.2G"; nothing agrees with all."""
    if not printed:
        return True
    if printed[-1] not in UNITS:
        return count == int(printed)
    digits = len(printed[:-1].partition(".")[2])
    return f"{count / UNITS[printed[-1]]:.{digits}f}" == printed[:-1]


@pytest.mark.parametrize("row", KNOWN, ids=lambda row: row["recipe"])
def test_sizes_are_those_that_are_known(row):
    recipe = load_recipe(row["recipe"])
    assert recipe.relu_count == int(row["relu_count"])
    assert agrees(recipe.parameter_count, row["parameters"])
    assert agrees(recipe.mac_count, row["macs"])


def test_known_networks_are_of_every_family():
    assert {load_recipe(row["recipe"]).family for row in KNOWN} == set(FAMILIES)


def test_names_are_network_data_set_and_relus():
    for name in recipe_names():
        recipe = load_recipe(name)
        assert name.endswith(f"-{recipe.relu_count}")
        assert f"-{recipe.dataset}-" in name


@pytest.mark.parametrize("name", recipe_names())
def test_modules_have_what_their_recipes_count(name):
    recipe = load_recipe(name)
    module = build(recipe, "meta")
    relus = []
    for path, layer in module.named_modules():
        if isinstance(layer, torch.nn.ReLU | torch.nn.ReLU6):
            layer.register_forward_hook(
                lambda _m, _i, out, path=path: relus.append((path, tuple(out.shape[1:])))
            )
    with checked_norms():
        logits = module(torch.empty(2, *recipe.input_shape, device="meta"))
    assert relus == list(recipe.relu_shapes())
    assert sum(parameter.numel() for parameter in module.parameters()) == recipe.parameter_count
    assert tuple(logits.shape) == (2, recipe.class_count)
