"""ReLUs that a mask keeps or removes, element by element or channel by channel.

Selective network linearization (SNL, Cho et al., ICML 2022, equation 2): mask * relu(x) + (1 - mask) * x.
Where a binary mask is 1 there is a ReLU, and where it is 0 there is none. During training the mask is real.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.shape import Shape


class TrainableMaskedReLU(nn.Module):
    """A layer that computes mask * relu(x) + (1 - mask) * x.

    The parameter `mask` has shape (1, *shape) with granularity "pixel", and (1, channels, 1, 1) with
    "channel". It is frozen at first; a linearization makes it trainable. `relus_each` is the number of ReLUs
    per number of the mask.

    >>> layer = TrainableMaskedReLU((2, 1, 1), "pixel")
    >>> layer.mask.data[0, 1] = 0
    >>> layer(torch.full((1, 2, 1, 1), -3.0)).flatten()
    tensor([ 0., -3.])
    """

    def __init__(self, shape: Shape, granularity: str) -> None:
        super().__init__()
        size = shape if granularity == "pixel" else (shape[0], *(1 for _ in shape[1:]))
        self.mask = nn.Parameter(torch.ones(1, *size), requires_grad=False)
        self.relus_each = math.prod(shape) // math.prod(size)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for values (batch, *shape)."""
        result: Tensor = self.mask * functional.relu(x) + (1 - self.mask) * x
        return result


def mask_relus(module: nn.Module, shapes: Iterable[tuple[str, Shape]], granularity: str) -> None:
    """Replaces the ReLUs at `shapes` by masked ones, in place. All masks are 1.

    Args:
        shapes: path and shape without batch axis of each ReLU (`Recipe.relu_shapes`).
        granularity: "pixel" or "channel"; the features of a fully connected layer are channels.

    Raises:
        ModelError: A layer is not a plain ReLU, such as ReLU6.

    >>> module = nn.Sequential(nn.ReLU())
    >>> mask_relus(module, [("0", (2, 4, 4))], "channel")
    >>> module[0].mask.shape, module[0].relus_each
    (torch.Size([1, 2, 1, 1]), 16)
    """
    for path, shape in shapes:
        parent, _, name = path.rpartition(".")
        found = module.get_submodule(path)
        if type(found) is not nn.ReLU:
            raise ModelError(f"{path} is {type(found).__name__}: only plain ReLUs can be masked")
        setattr(module.get_submodule(parent), name, TrainableMaskedReLU(shape, granularity))


def masked_relus(module: nn.Module) -> dict[str, TrainableMaskedReLU]:
    """Returns the masked ReLUs of `module` by path, in the order in which they run.

    >>> list(masked_relus(nn.Sequential(nn.ReLU(), TrainableMaskedReLU((2, 4, 4), "pixel"))))
    ['1']
    """
    return {path: part for path, part in module.named_modules() if isinstance(part, TrainableMaskedReLU)}


def kept_relu_count(module: nn.Module) -> int:
    """Returns the number of ReLUs that the binary masks of `module` keep.

    Raises:
        ModelError: A mask holds a number other than 0 and 1.

    >>> kept_relu_count(nn.Sequential(TrainableMaskedReLU((2, 4, 4), "channel")))
    32
    """
    kept = 0
    for path, part in masked_relus(module).items():
        mask = part.mask.detach()
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise ModelError(f"the mask of {path} holds other numbers than 0 and 1: it is not binarized")
        kept += int(mask.sum(dtype=torch.int64)) * part.relus_each
    return kept
