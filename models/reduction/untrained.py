"""The graphs of networks that are not trained, for predictions, which need shapes alone."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import torch

from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_run import calibrate
from pi_bench.network.lowering import lower

from ..building import build
from ..networks.polynomial import draw_relu_channels
from ..random_weights import draw_relu_masks, noise_images, randomize
from ..recipe_schema import parse_recipe

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
    graph = lower(module, torch.from_numpy(images[:1]), name=found.name)
    return dataclasses.replace(graph, ranges=calibrate(graph, images))
