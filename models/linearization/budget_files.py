"""The files of a network whose binary masks meet a budget, from which a finetuning starts.

masks.npz      the binary masks as bool, one array per ReLU layer
start.pt       the weights with these masks (a state_dict)
recipe.toml    the recipe of the network
budget.json    the budget, and figures of the method that met it
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ..networks.masked_relu import masked_relus
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..training.train_recipe import make_folder
from ..training.training_files import START_FILE, save_tensors, write_whole
from .masks import mask_values


def write_budget(place: Path, recipe: Recipe, module: nn.Module, figures: Mapping[str, Any]) -> None:
    """Writes the files of `module`, whose masks are binary, to the folder `place`.

    Args:
        figures: the content of budget.json.

    Raises:
        OutputError: A file cannot be written.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.networks.masked_relu import TrainableMaskedReLU
    >>> module = nn.Sequential(TrainableMaskedReLU((2, 4, 4), "pixel"))
    >>> with tempfile.TemporaryDirectory() as name:
    ...     write_budget(Path(name), load_recipe("resnet18-cifar100-12288"), module, {"budget": 32})
    ...     np.load(Path(name, "masks.npz"))["0"].dtype
    dtype('bool')
    """
    make_folder(place)
    kept = {site: mask > 0.5 for site, mask in mask_values(masked_relus(module)).items()}
    write_whole(place / "masks.npz", npz(kept))
    save_tensors(place / START_FILE, module.state_dict())
    write_whole(place / "recipe.toml", format_recipe(recipe).encode())
    write_whole(place / "budget.json", (json.dumps(dict(figures), indent=2) + "\n").encode())


def npz(arrays: Mapping[str, np.ndarray]) -> memoryview:
    """Returns the content of an npz file of the arrays.

    >>> len(npz({"relu": np.zeros(2, bool)})) > 0
    True
    """
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getbuffer()
