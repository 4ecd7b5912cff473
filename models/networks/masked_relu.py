"""ReLUs of which a mask decides, element by element or channel by channel, whether they are there.

Selective network linearization (SNL, Cho et al., ICML 2022, equation 2): mask * relu(x) + (1 - mask) * x.
A mask of 0 and 1 is a ReLU in some places and nothing in the others; while it is learnt it is real.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import ModelError

from ..layers import Shape


class MaskedRelu(nn.Module):
    """`mask`: (1, *shape), or (1, channels, 1, 1) where one number is for a channel.

    It is frozen: gradients are asked for where it is learnt.
    """

    def __init__(self, shape: Shape, granularity: str) -> None:
        super().__init__()
        size = shape if granularity == "pixel" else (shape[0], *(1 for _ in shape[1:]))
        self.mask = nn.Parameter(torch.ones(1, *size), requires_grad=False)
        self.relus_each = math.prod(shape) // math.prod(size)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.mask * functional.relu(x) + (1 - self.mask) * x
        return result


def mask_relus(module: nn.Module, shapes: Iterable[tuple[str, Shape]], granularity: str) -> None:
    """Replaces every ReLU of `module` by a masked one, in place; all masks are 1.

    Args:
        shapes: module path and shape of each of them, without batch axis (`Recipe.relu_shapes`).
        granularity: pixel or channel; features of a fully connected layer are channels.

    Raises:
        ModelError: a ReLU that is no plain one (ReLU6).
    """
    for path, shape in shapes:
        parent, _, name = path.rpartition(".")
        found = module.get_submodule(path)
        if type(found) is not nn.ReLU:
            raise ModelError(f"{path} is {type(found).__name__}: only plain ReLUs can be masked")
        setattr(module.get_submodule(parent), name, MaskedRelu(shape, granularity))


def masked_relus(module: nn.Module) -> dict[str, MaskedRelu]:
    """By path, in the order in which they run."""
    return {path: part for path, part in module.named_modules() if isinstance(part, MaskedRelu)}


def kept_relu_count(module: nn.Module) -> int:
    """ReLUs that binary masks keep.

    Raises:
        ModelError: a mask that holds something else than 0 and 1.
    """
    kept = 0
    for path, part in masked_relus(module).items():
        mask = part.mask.detach()
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise ModelError(f"the mask of {path} holds other numbers than 0 and 1: it is not binarized")
        kept += int(mask.sum(dtype=torch.int64)) * part.relus_each
    return kept
