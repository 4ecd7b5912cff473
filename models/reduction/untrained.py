"""The graphs of networks that are not trained, for predictions, which need shapes alone.

A search to a predicted time asks for many networks that differ in their masks alone, or in the kinds of the
channels of their mixtures. They have one trace: masks and kinds are buffers, and a trace does not depend on
the values of buffers.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import torch

from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_run import calibrate
from pi_bench.network.lowering import lower
from pi_bench.network.lowering.tracing import traced

from ..building import build
from ..mixture import Mixture
from ..networks.polynomial import draw_relu_channels
from ..random_weights import draw_relu_masks, noise_images, randomize
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe

_SEED = 1
_IMAGE_COUNT = 4


@lru_cache(maxsize=4)
def untrained_graph(recipe: str) -> Graph:
    """Returns the graph of a recipe's text with seeded random weights, calibrated on noise.

    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.recipe_writing import format_recipe
    >>> recipe = narrowed(load_recipe("minionn-cifar10-173056"), 0.0625)
    >>> untrained_graph(format_recipe(recipe)).relu_count
    10816
    """
    found = parse_recipe(recipe, "the recipe")
    images = noise_images(_IMAGE_COUNT, found.input_shape, _SEED)
    # Deterministic by its own generators; the caller's random state stays as it is.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        module = build(found)
        if found.kept_relus is not None:
            draw_relu_masks(module, found.kept_relus, _SEED)
        draw_relu_channels(module, _SEED)
        randomize(module, images, _SEED)
    graph = lower(_trace(found, module), torch.from_numpy(images[:1]), name=found.name)
    return dataclasses.replace(graph, ranges=calibrate(graph, images))


def _trace(recipe: Recipe, module: torch.nn.Module) -> torch.export.ExportedProgram:
    """Returns the trace of the recipe's network with the parameters and buffers of `module`."""
    kept = None if recipe.kept_relus is None else 0
    mixtures = tuple(Mixture(one.path, relu=1, linear=one.channel_count - 1) for one in recipe.mixtures)
    alike = dataclasses.replace(recipe, name="untrained", kept_relus=kept, mixtures=mixtures, published=None)
    program = _trace_of_alike(format_recipe(alike))
    program.state_dict.update(module.state_dict())
    buffers = dict(module.named_buffers())
    program.constants.update({name: buffers[name] for name in program.constants.keys() & buffers.keys()})
    return program


@lru_cache(maxsize=2)
def _trace_of_alike(recipe: str) -> torch.export.ExportedProgram:
    """Returns the trace of the networks that differ from a recipe's text in name, masks and kinds alone."""
    found = parse_recipe(recipe, "the recipe")
    return traced(build(found), torch.zeros(1, *found.input_shape))
