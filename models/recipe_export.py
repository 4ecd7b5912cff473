"""The export of a recipe to a model file, with random or given weights."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pi_bench.errors import InputError, ModelError
from pi_bench.exporting import export
from pi_bench.network.files.checkpoint import load_weights
from pi_bench.network.graph import Graph
from pi_bench.npy_file import read_npy

from .building import build
from .networks.masked_relu import kept_relu_count
from .networks.mixed import require_mixtures
from .networks.polynomial import draw_relu_channels, polynomial_relu_count
from .random_weights import draw_relu_masks, noise_images, randomize
from .recipe import Recipe

_NOISE_IMAGE_COUNT = 32
LEFT_OUT_KEY = "left_out_of_weights"
"""The key of a graph's meta that lists the entries of the checkpoint that were not loaded."""


def export_recipe(
    recipe: Recipe,
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    weights_key: str | None = None,
    ignore_extra: bool = False,
    calibration: str | os.PathLike[str] | None = None,
    calibration_percentile: float = 100.0,
    fidelity: float | None = None,
    weight_bits: int | None = None,
    activation_bits: int | None = None,
    seed: int = 1,
    labels: Sequence[str] = (),
    name: str | None = None,
) -> Graph:
    """Writes the recipe's network to the model file `path` and returns its graph.

    Args:
        weights: a state_dict saved by ``torch.save``, or a checkpoint that holds one. Without it, weights are
            random and depend on `seed`.
        weights_key, ignore_extra: as in `pi_bench.load_weights`.
        calibration: a ``.npy`` of float inputs (samples, channels, height, width). Without it, inputs are
            noise that depends on `seed`.
        calibration_percentile, fidelity, weight_bits, activation_bits, labels: as in `pi_bench.export`.
        name: of the network in reports; the recipe's by default.

    Raises:
        ModelError: Weights do not fit the recipe, or `pi_bench.export` fails.
        InputError: The calibration inputs cannot be read, or do not fit the recipe.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe, narrowed
    >>> recipe = narrowed(load_recipe("minionn-cifar10-173056"), 0.0625)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_recipe(recipe, f"{folder}/model.pt").relu_count
    10816
    """
    module = build(recipe)
    images = noise_images(_NOISE_IMAGE_COUNT, recipe.input_shape, seed)
    source = "seeded noise"
    if calibration is not None:
        images, source = _load_images(calibration, recipe.input_shape), "given inputs"
    left_out: tuple[str, ...] = ()
    if weights is None:
        if recipe.kept_relus is not None:
            draw_relu_masks(module, recipe.kept_relus, seed)
        draw_relu_channels(module, seed)
        randomize(module, images, seed)
    else:
        left_out = load_state(module, weights, weights_key=weights_key, ignore_extra=ignore_extra)
    require_masks(module, recipe)
    meta: dict[str, Any] = {
        "recipe": recipe.summary(),
        "random_weights": weights is None,
        "calibration": {"source": source},
    }
    if left_out:
        meta[LEFT_OUT_KEY] = list(left_out)
    if weights is None or calibration is None:
        meta["seed"] = seed
    example = torch.from_numpy(images[:1])
    return export(
        module,
        example,
        path,
        calibration=images,
        calibration_percentile=calibration_percentile,
        fidelity=fidelity,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        labels=labels,
        name=name or recipe.name,
        meta=meta,
    )


def require_masks(module: nn.Module, recipe: Recipe) -> None:
    """Checks that masks are binary, and that masks, polynomials and mixtures are those that the recipe says.

    Raises:
        ModelError: They do not.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("minionn-cifar10-173056")
    >>> require_masks(build(recipe), recipe)
    """
    require_mixtures(module, recipe.mixture_layers())
    wanted = sum(math.prod((count, *shape[1:])) for _, shape, count, _ in recipe.polynomial_layers())
    wanted += sum(math.prod((mixture.relu, *shape[1:])) for shape, mixture in recipe.mixture_layers())
    found = polynomial_relu_count(module)
    if found != wanted:
        raise ModelError(
            f"layers with polynomials have {found:,} ReLUs, recipe {recipe.name} says {wanted:,}: "
            "give weights that were trained with its polynomial_relu_fraction"
        )
    if recipe.kept_relus is None:
        return
    found = kept_relu_count(module)
    if found != recipe.kept_relus:
        raise ModelError(
            f"the masks keep {found:,} ReLUs, recipe {recipe.name} says {recipe.kept_relus:,}: "
            "give weights of a linearization to that number (`pi-bench reduce snl`)"
        )


def load_state(
    module: nn.Module,
    path: str | os.PathLike[str],
    *,
    weights_key: str | None = None,
    ignore_extra: bool = False,
) -> tuple[str, ...]:
    """Loads the weights of the checkpoint at `path` into a recipe's `module`.

    Returns the names that were left out.

    Args:
        weights_key, ignore_extra: as in `pi_bench.load_weights`.

    Raises:
        ModelError: The file cannot be read, its names and shapes are not those of `module`, or a weight is
            NaN or infinite.

    >>> import tempfile
    >>> module = nn.Sequential(nn.Linear(2, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.save({"0.weight": torch.ones(2, 2), "0.bias": torch.zeros(2)}, f"{folder}/state.pt")
    ...     load_state(module, f"{folder}/state.pt")
    ()
    >>> module[0].weight.tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    left_out = load_weights(
        module,
        path,
        weights_key=weights_key,
        ignore_extra=ignore_extra,
        target="the recipe",
        advice="docs/recipes.md lists the names",
    )
    for name, value in module.state_dict().items():
        if not torch.isfinite(value).all():
            raise ModelError(
                f"the weights {os.fspath(path)} cannot be used: {name} holds NaN or infinity, as after a "
                "training that diverged"
            )
    return left_out


def _load_images(path: str | os.PathLike[str], shape: tuple[int, ...]) -> np.ndarray:
    try:
        images = read_npy(Path(path))
    except InputError as error:
        raise InputError(f"cannot read the calibration inputs {error}") from None
    wanted = f"float, (samples, {', '.join(map(str, shape))})"
    if images.dtype.kind != "f":
        raise InputError(f"the calibration inputs {path} have dtype {images.dtype}; {wanted}, is needed")
    if images.ndim != 1 + len(shape) or images.shape[1:] != shape or len(images) == 0:
        raise InputError(f"the calibration inputs {path} have shape {images.shape}; {wanted}, is needed")
    if not np.isfinite(images).all():
        raise InputError(f"the calibration inputs {path} hold NaN or infinity; {wanted}, is needed")
    return images.astype(np.float32)
