"""A network in which each ReLU layer is relaxed: how it starts, and how it is read from a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from ..building import build
from ..networks.moments import input_moments
from ..networks.polynomial import place_polynomials
from ..recipe import Recipe
from ..recipe_export import load_state
from .relaxed import place_relaxed, relaxed_activations

RELAXED_FILE = "relaxed.pt"
_CUBIC = 3


def relaxed_network(base: Recipe, state: Mapping[str, Tensor]) -> nn.Module:
    """Returns `base` with relaxed layers, whose polynomials are the ones nearest to ReLU.

    Args:
        state: the trained weights of `base`.

    Raises:
        ModelError: A layer is not a plain ReLU, such as ReLU6.

    >>> from pi_bench.models import load_recipe, narrowed
    >>> base = narrowed(load_recipe("resnet18-cifar100-557056"), 0.0625)
    >>> module = relaxed_network(base, build(base).state_dict())
    >>> len(relaxed_activations(module)) == len(list(base.relu_shapes()))
    True
    """
    module, twin = build(base), build(base)
    for network in (module, twin):
        network.load_state_dict(dict(state))
    place_relaxed(module, base.relu_shapes())
    # Moments do not follow through relaxed layers, but through those of a twin with cubics.
    place_polynomials(twin, [(path, shape, 0, _CUBIC) for path, shape in base.relu_shapes()])
    moments = input_moments(twin)
    for path, part in relaxed_activations(module).items():
        if path in moments:
            for polynomial in (part.cubic, part.quadratic):
                polynomial.follow_relu_around(moments[path].mean, moments[path].deviation)
    return module


def relaxed_state(base: Recipe, folder: Path) -> dict[str, Tensor]:
    """Returns the state_dict of the relaxed network of `base` that a relaxation in `folder` has trained.

    Raises:
        ModelError: The file cannot be read, or holds another network.

    >>> import tempfile, torch
    >>> from pi_bench.models import load_recipe, narrowed
    >>> base = narrowed(load_recipe("resnet18-cifar100-557056"), 0.0625)
    >>> module = relaxed_network(base, build(base).state_dict())
    >>> with tempfile.TemporaryDirectory() as name:
    ...     torch.save(module.state_dict(), Path(name, RELAXED_FILE))
    ...     relaxed_state(base, Path(name))["stem.relu.logits"].shape
    torch.Size([4, 4, 1, 1])
    """
    module = build(base)
    place_relaxed(module, base.relu_shapes())
    load_state(module, folder / RELAXED_FILE)
    return dict(module.state_dict())
