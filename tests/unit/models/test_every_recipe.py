"""Every recipe that comes with pi-bench, narrow and small: module → graph → program → integers.

The integer network computes the function of the float network, up to the noise of its fixed point.
"""

import dataclasses
import itertools

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
COMPARED = 2
BITS = {"weight_bits": 12, "activation_bits": 13}


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


SIZES = {"name", "alpha", "rho", "input_shape", "published", "class_count", "dataset", "blocks"}


def parts_of(recipe):
    """Returns what the network consists of: choices of its family, neighboring stages, operations and skips.

    Recipes that differ in width, depth, resolution or data set alone have the same parts here.
    """
    values = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    arcs, strides = values.pop("arcs", ()), values.pop("strides", (1,))
    stages = [
        "culled"
        if stage in values["culled_stages"]
        else "thinned"
        if stage in values["thinned_stages"]
        else ""
        for stage in range(1, recipe.stage_count + 1)
    ]
    parts = {
        (name, bool(value) if name == "hidden_widths" else value)
        for name, value in values.items()
        if name == "hidden_widths" or not (name in SIZES or name.endswith(("_width", "widths", "_stages")))
    }
    parts |= {("input channels", recipe.input_shape[0]), ("first stride", strides[0])}
    parts |= {("neighbors", *pair) for pair in itertools.pairwise([recipe.stem_relu, *stages, "head"])}
    parts |= {("shortcut", values.get("shortcut"), stage) for stage in stages}
    stage_of = [stage for stage, count in enumerate(recipe.blocks) for _ in range(count)]
    for layer, (operation, *skips) in enumerate(arc.split() for arc in arcs):
        sources = [stage_of[output - 1] if output else -1 for output, bit in enumerate(skips) if bit == "1"]
        parts.add(("arc", operation, bool(sources)))
        parts |= {("skip over stages", stage_of[layer] - source) for source in sources}
    return {(recipe.family, *part) for part in parts}


def few_with_all_parts(recipes):
    """Returns small recipes that together have each part of each recipe, with the names of these."""
    parts = {name: parts_of(recipe) for name, recipe in recipes.items()}
    layers = {name: len(list(recipe.layers())) for name, recipe in recipes.items()}
    left, chosen = set().union(*parts.values()), {}
    while left:
        name = max(recipes, key=lambda name: len(parts[name] & left) / layers[name])
        chosen[name] = recipes[name]
        left -= parts[name]
    return chosen


RECIPES = few_with_all_parts({name: tiny(load_recipe(name)) for name in recipe_names()})


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_the_integer_network_computes_what_the_module_does(recipe, tmp_path):
    module = build(recipe)
    images = noise_images(4, recipe.input_shape, 5)
    randomize(module, images, 5)
    pi_bench.export(module, images[:1], tmp_path / "model.pt", calibration=images, **BITS)
    graph = load_model(tmp_path / "model.pt")
    assert graph.relu_count == recipe.relu_count
    program, weights = compile_graph(graph, CompileOptions(**BITS, batch=COMPARED))
    run = run_reference(program, weights, encode_input(program, images[:COMPARED]))
    assert not run.out_of_range
    integers = decode_output(program, run.values[program.output.id])
    with torch.no_grad():
        floats = module(torch.from_numpy(images[:COMPARED])).numpy()
    noise = np.sqrt(np.mean((integers - floats) ** 2)) / floats.std()
    assert noise < 0.05  # at most 0.025 with these bits; a wrong layer gives 1
