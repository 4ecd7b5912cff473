"""Every recipe that comes with pi-bench, narrow and small: module → graph → program → integers.

The integer network computes the function of the float network, up to the noise of its fixed point.
"""

import dataclasses

import numpy as np
import pytest

import pi_bench
from pi_bench.models import load_recipe, recipe_names
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.files.model_file import load_model
from pi_bench.network.program.fixed_point import decode_output, encode_input

torch = pytest.importorskip("torch")

from pi_bench.models.building import build
from pi_bench.models.random_weights import noise_images, randomize

MIN_WIDTH = 3
COMPARED = 4


def tiny(recipe):
    """The recipe with few channels, blocks and pixels; every kind of layer and ReLU that it had stays."""
    recipe = dataclasses.replace(recipe, rho=1.0)  # half of the pixels are left out already
    side = min(2 * recipe.total_stride, min(recipe.input_shape[1:]))
    changes = {}
    if recipe.family not in ("minionn", "cryptonas"):  # whose blocks are fixed, or have an arc each
        first, *others = recipe.blocks
        changes["blocks"] = (min(first, 2), *(1 for _ in others[:-1]), min(others[-1], 2))
    return dataclasses.replace(
        recipe,
        name="tiny",
        dataset="none",
        alpha=MIN_WIDTH / min(recipe.widths + recipe.other_widths),
        input_shape=(recipe.input_shape[0], side, side),
        class_count=7,
        published=None,
        **changes,
    )


def network_of(recipe):
    """Returns all fields that tell networks apart, with the widths as channel scaling leaves them."""
    values = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    widths = {name for name in values if name.endswith(("width", "widths"))}
    others = tuple((name, value) for name, value in values.items() if name not in {"alpha", *widths})
    return type(recipe), others, recipe.scaled_widths, tuple(map(recipe.scaled, recipe.other_widths))


# Recipes that differ in width, depth, resolution or data set alone are the same network here.
NETWORKS = {network_of(small := tiny(load_recipe(name))): (small, name) for name in reversed(recipe_names())}


@pytest.mark.parametrize(
    "recipe", [recipe for recipe, _ in NETWORKS.values()], ids=[name for _, name in NETWORKS.values()]
)
def test_the_integer_network_computes_what_the_module_does(recipe, tmp_path):
    module = build(recipe)
    images = noise_images(12, recipe.input_shape, 5)
    randomize(module, images, 5)
    pi_bench.export(module, images[:1], tmp_path / "model.pt", calibration=images)
    graph = load_model(tmp_path / "model.pt")
    assert graph.relu_count == recipe.relu_count
    program, weights = compile_graph(graph, CompileOptions(batch=COMPARED))
    run = run_reference(program, weights, encode_input(program, images[:COMPARED]))
    assert not run.out_of_range
    integers = decode_output(program, run.values[program.output.id])
    with torch.no_grad():
        floats = module(torch.from_numpy(images[:COMPARED])).numpy()
    noise = np.sqrt(np.mean((integers - floats) ** 2)) / floats.std()
    assert noise < 0.1  # activations carry six to eight bits after the point; a wrong layer gives 1
