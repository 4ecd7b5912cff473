"""The effect of each channel of a replaced layer on the loss, by which a layer's risk is divided among them.

DELPHI's trainings compute r * ReLU + (1 - r) * choice in a layer (`polynomial_training`). With an r for each
channel, the derivative of an image's loss by the r of a channel is the sum over its pixels of

    (derivative of the loss by the output) * (ReLU - choice).

To first order, this is what the image's loss changes by if the channel alone gets its ReLUs back. The effect
of the channel is its absolute value, averaged over images, so that opposite changes of two images do not
cancel. One backward pass, from the loss to the layer, gives the effects of all channels. To evaluate each
channel alone would take as many passes as the layer has channels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.progress import Progress, silent

from .building import build
from .data import Dataset
from .recipe import Recipe
from .recipe_export import load_state
from .training.batches import Batches
from .training.device_layout import move_to_device
from .training.train_recipe import repeatable, require_data

_MOST_IMAGES = 1024
_AT_ONCE = 128
_SEED = 0  # nothing is drawn; the seed asks torch for repeatable sums


def channel_effects(
    recipe: Recipe,
    path: str,
    weights: Path,
    data: Dataset,
    validation_fraction: float,
    *,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Returns the effects of the channels of a layer that a short training has replaced.

    The images are the first 1,024 validation images at most, or training images if there are none. So the
    effects of all channels of a layer cost at most a forward and a backward pass of 1,024 images, less than a
    hundredth of three epochs of CIFAR.

    Args:
        recipe: the network, in which one choice was made for the whole layer.
        path: the path of the layer.
        weights: the path of the trained state_dict.
        validation_fraction: the part of the training images that validate.

    Returns:
        ``effects``, a number of at least 0 for each channel, and ``judging_count``, the number of images by
        which the search judges the accuracy of a training.

    Raises:
        ModelError: Weights or data are those of another network.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.data import load_data
    >>> from pi_bench.models.planning import with_choices
    >>> from pi_bench.models.training.train_recipe import for_data
    >>> data = load_data("digits", (3, 8, 8), data_dir=Path("data"))
    >>> base = narrowed(load_recipe("resnet18-cifar100-557056"), 0.0625)
    >>> recipe = with_choices(for_data(base, "digits", 10, (3, 8, 8)), {"stem.relu": "quadratic"})
    >>> with tempfile.TemporaryDirectory() as name:
    ...     torch.save(build(recipe).state_dict(), Path(name, "state.pt"))
    ...     found = channel_effects(recipe, "stem.relu", Path(name, "state.pt"), data, 0.1)
    >>> len(found["effects"]), min(found["effects"]) > 0, found["judging_count"]
    (4, True, 143)
    """
    require_data(recipe, data)
    device = torch.device(device)
    with repeatable(_SEED):
        module = build(recipe)
        load_state(module, weights)
        move_to_device(module, device)
        module.eval().requires_grad_(False)
        batches = Batches(data, validation_fraction, device)
        held = len(batches.validation)
        split = batches.validation if held else batches.train
        count, total = min(len(split), _MOST_IMAGES), torch.zeros((), dtype=torch.float64)
        for start in range(0, count, _AT_ONCE):
            progress(f"finding effects of channels of {path}", start, count)
            end = min(start + _AT_ONCE, count)
            images = batches.normalized(split.images[start:end])
            found = derivatives(module, path, images, split.labels[start:end])
            total = total + found.double().abs().sum(dim=0).cpu()
    return {"effects": (total / count).tolist(), "judging_count": held or len(batches.test)}


def derivatives(module: nn.Module, path: str, images: Tensor, labels: Tensor) -> Tensor:
    """Returns the derivative of each image's cross-entropy by the r of each channel, (images, channels).

    Args:
        module: the network in evaluation mode.
        path: the path of the replaced layer.
        images: float32 (images, *shape).
        labels: int64 (images,).

    >>> from pi_bench.models.networks.removed_relu import RemovedReLU
    >>> module = nn.Sequential(RemovedReLU(), nn.Flatten())
    >>> values = torch.tensor([[[[-1.0]], [[1.0]]]])
    >>> derivatives(module, "0", values, torch.tensor([0]))  # softmax(-1, 1)[0] - 1 = -0.8808
    tensor([[-0.8808,  0.0000]])
    """
    seen: list[Tensor] = []

    def note(part: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        leaf = output.detach().requires_grad_()  # gradients go no further back
        seen.extend((functional.relu(inputs[0]) - output, leaf))
        return leaf

    hook = module.get_submodule(path).register_forward_hook(note)
    try:
        loss = functional.cross_entropy(module(images), labels, reduction="sum")
    finally:
        hook.remove()
    difference, leaf = seen
    (gradient,) = torch.autograd.grad(loss, leaf)
    return (gradient * difference).reshape(*gradient.shape[:2], -1).sum(dim=2)
