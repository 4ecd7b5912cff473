"""Sampled criteria: one pruning criterion per layer, drawn so that gradients reach its probabilities.

A sample is drawn by the Gumbel-softmax: the criterion with the largest sum of logit and Gumbel noise is
taken, and the gradient is that of the softmax of these sums at a temperature. A layer whose channels a mask
keeps or zeroes computes what the pruned layer computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..filter_criteria import CRITERIA
from ..pruning import kept_filters, norm_choices
from ..recipe import Recipe


def sampled(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Returns a one-hot row per row of `logits` (layers, criteria), with the gradient of a softmax.

    Args:
        generator: on the CPU, so that every device draws the same samples.

    >>> logits = torch.tensor([[9.0, 0.0, 0.0]])
    >>> sampled(logits, 1.0, torch.Generator().manual_seed(1))
    tensor([[1., 0., 0.]])
    """
    uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    noise = -torch.log(-torch.log(uniform.clamp(1e-12, 1 - 1e-12)))
    soft = ((logits + noise.to(logits)) / temperature).softmax(dim=1)
    hard = torch.zeros_like(soft).scatter(1, soft.argmax(dim=1, keepdim=True), 1.0)
    # The term in parentheses is exactly 0 and brings the gradient.
    return hard + (soft - soft.detach())


def channel_masks(state: Mapping[str, Tensor], base: Recipe, pruned: Recipe) -> dict[str, Tensor]:
    """Returns the channels that each criterion keeps, float (criteria, channels) of 0 and 1, by layer.

    Args:
        state: the weights of `base`.

    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.building import build
    >>> from pi_bench.models.pruning import pruned_recipe
    >>> base = narrowed(load_recipe("resnet18-cifar100-557056"), 0.125)
    >>> channel_masks(build(base).state_dict(), base, pruned_recipe(base, 40_000))["stem.conv"].sum(dim=1)
    tensor([4., 4., 4.])
    """
    by_criterion = [kept_filters(state, base, pruned, criterion) for criterion in CRITERIA]
    found = {}
    for path in by_criterion[0]:
        weight = state[f"{path}.weight"]
        masks = torch.zeros(len(CRITERIA), len(weight), device=weight.device)
        for mask, kept in zip(masks, by_criterion, strict=True):
            mask[kept[path]] = 1.0
        found[path] = masks
    return found


@contextmanager
def masked_channels(module: nn.Module, base: Recipe) -> Iterator[dict[str, Tensor]]:
    """Multiplies the output of each batch norm of `module` by a mask of its channels, within the context.

    Yields the masks by the path of the layer that chooses the channels. The caller sets them, as (channels,),
    before each forward pass.

    Args:
        base: the recipe of `module`.

    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.building import build
    >>> base = narrowed(load_recipe("resnet18-cifar100-557056"), 0.0625)
    >>> module, images = build(base), torch.zeros(1, *base.input_shape)
    >>> with masked_channels(module, base) as masks:
    ...     masks.update({path: torch.zeros(1) for path in norm_choices(base).values()})
    ...     torch.equal(module(images)[0], module.classifier.bias)
    True
    """
    masks: dict[str, Tensor] = {}

    def masking(path: str) -> object:
        def hook(norm: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
            return output * masks[path].reshape(1, -1, 1, 1)

        return hook

    hooks = [
        module.get_submodule(norm).register_forward_hook(masking(path))  # type: ignore[arg-type]
        for norm, path in norm_choices(base).items()
    ]
    try:
        yield masks
    finally:
        for hook in hooks:
            hook.remove()
