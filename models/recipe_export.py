"""From a recipe to a model file: random or given weights, calibration, export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pi_bench.errors import InputError, ModelError
from pi_bench.exporting import export
from pi_bench.network.graph import Graph
from pi_bench.network.torch_file import STATE_KEYS, load_plain
from pi_bench.npy_file import read_npy

from .building import build
from .random_weights import noise_images, randomize
from .recipe import Recipe

_NOISE_IMAGE_COUNT = 32
_PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile
_NAMED_KEYS = 3


def export_recipe(
    recipe: Recipe,
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    calibration: str | os.PathLike[str] | None = None,
    seed: int = 1,
) -> Graph:
    """Writes the recipe's network to the model file `path`.

    Args:
        weights: a state_dict saved by ``torch.save``; without it weights are random, from `seed`.
        calibration: a ``.npy`` of float inputs (samples, channels, height, width); without it noise,
            from `seed`.

    Raises:
        ModelError: weights or inputs that do not fit the recipe, or whatever `pi_bench.export` raises.
    """
    module = build(recipe)
    images = noise_images(_NOISE_IMAGE_COUNT, recipe.input_shape, seed)
    source = "seeded noise"
    if calibration is not None:
        images, source = _load_images(calibration, recipe.input_shape), "given inputs"
    if weights is None:
        randomize(module, images, seed)
    else:
        load_state(module, weights)
    meta: dict[str, Any] = {
        "recipe": recipe.summary(),
        "random_weights": weights is None,
        "calibration": {"source": source},
    }
    if weights is None or calibration is None:
        meta["seed"] = seed
    example = torch.from_numpy(images[:1])
    return export(module, example, path, calibration=images, name=recipe.name, meta=meta)


def load_state(module: nn.Module, path: str | os.PathLike[str]) -> None:
    """Gives `module` the weights of the state_dict, or of the checkpoint holding one, at `path`.

    Raises:
        ModelError: no such file, not a state_dict, or keys missing, unexpected or of another shape.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            content = load_plain(name, file)
    except OSError as error:
        raise ModelError(f"cannot read the weights {name}: {error.strerror}") from None
    state = _state_of(name, content)
    wanted = module.state_dict()
    # Counters of training; inference does not read them, and old files lack them.
    counters = {key for key in wanted if key.endswith(".num_batches_tracked")}
    problems = [
        _listing("missing", [key for key in wanted if key not in state and key not in counters]),
        _listing("unexpected", [key for key in state if key not in wanted]),
        _listing(
            "of another shape",
            [
                f"{key} {tuple(state[key].shape)} for {tuple(value.shape)}"
                for key, value in wanted.items()
                if key in state and state[key].shape != value.shape
            ],
        ),
    ]
    if any(problems):
        raise ModelError(
            f"the weights {name} do not fit the recipe: {'; '.join(filter(None, problems))}; "
            "docs/recipes.md lists the names"
        )
    module.load_state_dict({**{key: wanted[key] for key in counters}, **state})


def _state_of(name: str, content: Any) -> dict[str, torch.Tensor]:
    if isinstance(content, dict) and content.get("format") == "pi-bench model":
        raise ModelError(f"{name} is a model file, not weights: give it to `pi-bench latency` as it is")
    if isinstance(content, dict):
        nested = next((content[key] for key in STATE_KEYS if isinstance(content.get(key), dict)), None)
        content = content if nested is None else nested
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{name} holds no state_dict: save module.state_dict() with torch.save")
    state: dict[str, torch.Tensor] = {}
    for key, value in content.items():
        if not isinstance(key, str) or type(value) not in (torch.Tensor, nn.Parameter):
            raise ModelError(f"{name} holds no state_dict: {key!r:.80} is not a tensor")
        while key.startswith(_PREFIXES):
            key = key.partition(".")[2]
        state[key] = value
    return state


def _listing(kind: str, items: list[str]) -> str:
    if not items:
        return ""
    more = f" and {len(items) - _NAMED_KEYS} more" if len(items) > _NAMED_KEYS else ""
    return f"{kind}: {', '.join(items[:_NAMED_KEYS])}{more}"


def _load_images(path: str | os.PathLike[str], shape: tuple[int, ...]) -> np.ndarray:
    try:
        images = read_npy(Path(path))
    except InputError as error:
        raise ModelError(f"cannot read the calibration inputs {error}") from None
    wanted = f"float, (samples, {', '.join(map(str, shape))})"
    if images.dtype.kind != "f":
        raise ModelError(f"the calibration inputs {path} have dtype {images.dtype}; {wanted}, is needed")
    if images.ndim != 1 + len(shape) or images.shape[1:] != shape or len(images) == 0:
        raise ModelError(f"the calibration inputs {path} have shape {images.shape}; {wanted}, is needed")
    if not np.isfinite(images).all():
        raise ModelError(f"the calibration inputs {path} hold NaN or infinity; {wanted}, is needed")
    return images.astype(np.float32)
