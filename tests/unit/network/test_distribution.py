"""Counts of a program by resolution, against counts by hand."""

import pytest

from pi_bench.models import parse_recipe
from pi_bench.network.compiler import compile_graph
from pi_bench.network.distribution import by_resolution

torch = pytest.importorskip("torch")

from pi_bench.models.recipe_export import export_recipe

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
    found = by_resolution(program)
    assert [counts.resolution for counts in found] == [(16, 16), (8, 8), None]
    # 16 x 16: the stem and four convolutions of 4 channels. Each batch norm becomes one bias per channel.
    # 8 x 8: two convolutions and the shortcut of 6 channels; the second one and the shortcut share a bias.
    wide, narrow, classifier = 3 * 4 * 9 + 4 * (4 * 4 * 9), 4 * 6 * 9 + 6 * 6 * 9 + 4 * 6, 6 * 5
    assert [counts.parameter_count for counts in found] == [wide + 5 * 4, narrow + 2 * 6, classifier + 5]
    assert [counts.mac_count for counts in found] == [wide * 16 * 16, narrow * 8 * 8, classifier]
    assert [counts.relu_count for counts in found] == [recipe.relu_count, 0, 0]
    assert recipe.relu_count == 5 * 4 * 16 * 16
    assert sum(counts.truncation_count for counts in found) == program.truncation_count > 0


@pytest.mark.slow
def test_elements_that_are_gathered_count_at_the_resolution_of_their_map(tmp_path):
    more = 'masks = "pixel"\nkept_relus = 500\npolynomials = ["*"]\n'
    recipe = parse_recipe(RECIPE.replace("culled_stages = [2]\n", "") + more, "small")
    program, _ = compile_graph(export_recipe(recipe, tmp_path / "model.pt"))
    found = {counts.resolution: counts for counts in by_resolution(program)}
    assert set(found) == {(16, 16), (8, 8), None}
    assert (found[None].relu_count, found[None].truncation_count) == (0, 0)
    assert sum(counts.relu_count for counts in found.values()) == 500
    elements = {(16, 16): 5 * 4 * 16 * 16, (8, 8): 2 * 6 * 8 * 8}
    for resolution, count in elements.items():  # each polynomial is truncated before and after its square
        polynomials = count - found[resolution].relu_count
        assert found[resolution].truncation_count >= 2 * polynomials
    assert program.square_count == sum(elements.values()) - 500
