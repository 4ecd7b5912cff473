"""Recipes: the published networks' ReLU counts, and a named error for whatever a recipe gets wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from pi_bench.errors import ModelError, UsageError
from pi_bench.models import load_recipe, parse_recipe, recipe_names
from tests.published import table

PUBLISHED = table("deepreduce_networks.csv")
RECIPES = Path(__file__).parents[3] / "models" / "recipes"

TINY = """
schema = 1
name = "tiny"
family = "resnet"
dataset = "none"
input_shape = [1, 8, 8]
class_count = 3
blocks = [1, 3]
widths = [4, 6]
"""


def stage_names(stages):
    return "+".join(f"S{stage}" for stage in stages)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['dataset']}-{row['relu_count']}")
def test_every_published_network_is_a_recipe_with_its_relu_count(row):
    recipe = load_recipe(f"resnet18-{row['dataset']}-{row['relu_count']}")
    assert recipe.relu_count == int(row["relu_count"])
    assert recipe.dataset == row["dataset"]
    assert stage_names(recipe.culled_stages) == row["culled"]
    assert stage_names(recipe.thinned_stages) == row["thinned"]
    assert (recipe.alpha, recipe.rho) == (float(row["alpha"]), float(row["rho"]))
    assert "-".join(map(str, recipe.blocks)) == row["blocks"]
    assert recipe.published is not None
    assert recipe.published.accuracy_pct == float(row["accuracy_pct"])
    assert recipe.published.latency_s == (float(row["latency_s"]) if row["latency_s"] else None)
    assert recipe.published.source == row["source"]


def test_the_table_is_complete():
    assert len(PUBLISHED) == 24
    assert len(set(recipe_names())) == len(recipe_names()) == len(list(RECIPES.glob("*.toml")))


@pytest.mark.slow
def test_listing_imports_no_torch():
    code = "import sys, pi_bench.models as m; m.recipe_names(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_defaults_keep_every_relu():
    recipe = parse_recipe(TINY, "tiny.toml")
    # Stem and S1 at 8x8 with 4 channels, S2 at 4x4 with 6: 256 + 2 * 256 + 6 * 96.
    assert recipe.stem_relu
    assert recipe.relu_count == 256 + 512 + 576


def test_culling_a_stage_drops_the_stem_unless_told_otherwise():
    culled = "culled_stages = [1]\n"
    assert parse_recipe(TINY + culled, "t").relu_count == 576
    assert parse_recipe(TINY + culled + "stem_relu = true\n", "t").relu_count == 256 + 576


def test_thinning_keeps_the_inner_relu_of_each_block():
    recipe = parse_recipe(TINY + "stem_relu = false\nthinned_stages = [2]\n", "t")
    paths = [path for path, _ in recipe.relu_shapes()]
    assert paths == [
        "stages.0.0.relu1",
        "stages.0.0.relu2",
        "stages.1.0.relu1",
        "stages.1.1.relu1",
        "stages.1.2.relu1",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("color = 1", "unknown key 'color'"),
        ("alpha = 0", "'alpha' is 0, allowed: a number from 0.01 to 4"),
        ("alpha = nan", "'alpha' is nan"),
        ("alpha = true", "'alpha' is True"),
        ("rho = 1.5", "'rho' is 1.5, allowed: a number from 0.05 to 1"),
        ("rho = 0.125", "'input_shape' is smaller than 16 x 16"),
        ("alpha = 0.1", "'alpha' scales widths"),
        ("culled_stages = [3]", "'culled_stages' must be stages from 1 to 2"),
        ("culled_stages = [1, 1]", "'culled_stages' must be stages from 1 to 2"),
        ("culled_stages = ['S1']", "'culled_stages' is"),
        ("culled_stages = [1]\nthinned_stages = [1, 2]", "culled or thinned, not both"),
        ("stem_relu = 1", "'stem_relu' is 1, allowed: true or false"),
        ("[published]\nrelu_count = 5\nsource = 'x'", "'published.relu_count' is 5, the network has 1344"),
        ("[published]\nrelu_count = 5", "'published.source' is missing"),
        ("[published]\nyear = 5", "unknown key 'published.year'"),
        ("blocks = [1]", "not TOML"),
        ("= 5", "not TOML"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(ModelError) as caught:
        parse_recipe(TINY + change + "\n", "tiny.toml")
    assert message in str(caught.value)
    assert "tiny.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 1", "schema = 2", "'schema' is 2, this program reads 1"),
        ('family = "resnet"', 'family = "alexnet"', "'family' is 'alexnet'"),
        ("widths = [4, 6]", "widths = [4]", "'widths' has 1 entries, 'blocks' has 2"),
        ("blocks = [1, 3]", "blocks = [1, 0]", "'blocks' is [1, 0]"),
        ("class_count = 3", "class_count = 1", "'class_count' is 1"),
        ("class_count = 3\n", "", "'class_count' is missing"),
        ("input_shape = [1, 8, 8]", "input_shape = [8, 8]", "'input_shape' is [8, 8]"),
    ],
)
def test_impossible_values_are_named(old, new, message):
    with pytest.raises(ModelError) as caught:
        parse_recipe(TINY.replace(old, new), "tiny.toml")
    assert message in str(caught.value)


def test_unknown_names_suggest_near_ones():
    with pytest.raises(UsageError, match="did you mean resnet18-cifar100-12288"):
        load_recipe("resnet18-cifar-12288")
    with pytest.raises(UsageError, match="pi-bench export --list"):
        load_recipe("zzz")
