"""Random weights and inputs for a network that is not trained.

A network's latency depends on its architecture and the ranges of its values, not on its training. Weights are
therefore He-normal (He et al., ICCV 2015) and batch norms get the statistics of calibration inputs, so that
activations have ranges like those of a trained network. The results depend on the seed alone. These
generators make demonstration data; no secret comes from them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .networks.masked_relu import masked_relus
from .networks.polynomial import PolynomialActivation, polynomial_activations

DEFAULT_SEED = 1
_PIXEL_LIMIT = 2.5
_BATCH = 16
_REACH = 3.0  # root mean squares up to which a polynomial stays near to ReLU


def noise_images(count: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Returns images of seeded noise, float32 (count, *shape), with |value| <= 2.5.

    Like normalized images of a data set, each image has its own brightness and contrast, around mean 0 and
    deviation 1, and its values are limited. The first image is white noise. The last one is smooth like a
    photograph, a sum of enlarged grids of every power of two. Calibrated ranges therefore cover both kinds.

    Args:
        shape: (channels, height, width).

    >>> noise_images(4, (3, 8, 8), seed=1).shape
    (4, 3, 8, 8)
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    channels, height, width = shape
    smoothness = np.linspace(0, 1, count, dtype=np.float32)[:, None, None, None]
    images = generator.standard_normal((count, *shape), dtype=np.float32)
    step = 2
    while step < max(height, width):
        grid = (count, channels, -(-height // step), -(-width // step))
        field = generator.standard_normal(grid, dtype=np.float32)
        enlarged = field.repeat(step, axis=2).repeat(step, axis=3)
        images += smoothness * enlarged[:, :, :height, :width]
        step *= 2
    images -= images.mean(axis=(2, 3), keepdims=True)
    images /= images.std(axis=(2, 3), keepdims=True) + 1e-6
    images *= generator.uniform(0.5, 1.5, (count, 1, 1, 1)).astype(np.float32)
    images += 0.5 * generator.standard_normal((count, 1, 1, 1), dtype=np.float32)
    return np.clip(images, -_PIXEL_LIMIT, _PIXEL_LIMIT)


@torch.no_grad()
def randomize(module: nn.Module, images: np.ndarray, seed: int) -> None:
    """Draws random weights for `module` in place and leaves it in evaluation mode.

    Weights become He-normal, batch norms get the statistics of `images`, and polynomials the shape of a ReLU.

    Args:
        images: float32 (count, channels, height, width).

    >>> module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    >>> randomize(module, noise_images(8, (3, 8, 8), seed=1), seed=1)
    >>> module.training, bool((module[1].running_mean != 0).all())
    (False, True)
    """
    generator = torch.Generator().manual_seed(seed)
    norms = []
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
            norms.append((layer, layer.momentum))
            layer.momentum = None  # a plain average over batches, not a moving one
    following = [
        part.register_forward_pre_hook(_follow_relu) for part in polynomial_activations(module).values()
    ]
    module.train()
    for start in range(0, len(images), _BATCH):
        module(torch.from_numpy(images[start : start + _BATCH]))
    module.eval()
    if following:
        module(torch.from_numpy(images))  # with the statistics that stay
    for hook in following:
        hook.remove()
    for layer, momentum in norms:
        layer.momentum = momentum


def _follow_relu(part: PolynomialActivation, inputs: tuple[Tensor]) -> None:
    """Makes a polynomial stay as small as a ReLU up to the largest input, as training would. Otherwise the
    values of stacked blocks grow with each square."""
    part.follow_relu(float(inputs[0].abs().max()) / _REACH)


@torch.no_grad()
def draw_relu_masks(module: nn.Module, kept_relus: int, seed: int) -> None:
    """Draws binary masks for the masked ReLUs of `module`, in place, that keep `kept_relus` ReLUs.

    Whole channels are drawn as long as they fit, so they may keep fewer ReLUs.

    >>> from pi_bench.models.networks.masked_relu import TrainableMaskedReLU, kept_relu_count
    >>> module = nn.Sequential(TrainableMaskedReLU((2, 4, 4), "pixel"))
    >>> draw_relu_masks(module, 10, seed=1)
    >>> kept_relu_count(module)
    10
    """
    relus = list(masked_relus(module).values())
    costs = np.concatenate([np.full(part.mask.numel(), part.relus_each) for part in relus])
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(costs))
    kept = np.zeros(len(costs), np.float32)
    for index in order:
        if costs[index] <= kept_relus:
            kept[index] = 1
            kept_relus -= costs[index]
    start = 0
    for part in relus:
        end = start + part.mask.numel()
        part.mask.copy_(torch.from_numpy(kept[start:end]).reshape(part.mask.shape))
        start = end
