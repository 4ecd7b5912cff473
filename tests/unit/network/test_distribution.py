"""Figure 3 from the program: the same shares as the recipe's, batch norms folded."""

import pytest

from pi_bench.models import parse_recipe
from pi_bench.models.distribution import by_stage
from pi_bench.network.compiler import compile_graph
from pi_bench.network.distribution import by_resolution

torch = pytest.importorskip("torch")

from pi_bench.models.recipe_export import export_recipe  # noqa: E402

RECIPE = """
schema = 1
name = "small"
family = "resnet"
dataset = "none"
input_shape = [3, 16, 16]
class_count = 5
blocks = [2, 1]
widths = [4, 6]
culled_stages = [2]
stem_relu = true
"""


def test_a_program_has_the_shares_of_its_recipe(tmp_path):
    recipe = parse_recipe(RECIPE, "small")
    program, _ = compile_graph(export_recipe(recipe, tmp_path / "model.pt"))
    shares = by_resolution(program)
    assert [share.resolution for share in shares] == [(16, 16), (8, 8), None]
    stem, first, second, last = by_stage(recipe)
    # A convolution and its batch norm (two parameters a channel) become weights and one bias a channel;
    # a convolution and the shortcut beside it become one operator with one bias.
    parameters = [share.parameter_count for share in shares]
    assert parameters == [
        stem.parameter_count + first.parameter_count - 5 * (2 - 1) * 4,
        second.parameter_count - (3 * 2 - 2) * 6,
        last.parameter_count,
    ]
    assert [share.mac_count for share in shares] == [
        stem.mac_count + first.mac_count,
        second.mac_count,
        last.mac_count,
    ]
    assert [share.relu_count for share in shares] == [recipe.relu_count, 0, 0]
    assert sum(share.truncation_count for share in shares) == program.truncation_count > 0
