"""The network in which each channel has the kind that a rounding chose: its recipe and its first weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ..building import build
from ..criticality import base_name
from ..mixture import KINDS, Mixture, kind_counts
from ..networks.mixed import DEGREES, MixedActivation
from ..networks.polynomial import PolynomialActivation
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from ..training.polynomial_training import start_polynomials

_LAYER_KEYS = {"quadratic": "polynomials", "cubic": "cubics", "linear": "identities"}


def mixed_recipe(base: Recipe, kinds: Mapping[str, np.ndarray], method: str = "safenet") -> Recipe:
    """Returns `base` with the kinds of its channels. A layer of one kind has no mixture.

    Args:
        kinds: the place in `KINDS` of the kind of each channel, by the path of each ReLU layer. Layers that
            it lacks keep their ReLUs.
        method: the method that chose them, for the name of the network.

    >>> from pi_bench.models import load_recipe
    >>> base = load_recipe("resnet18-cifar100-557056")
    >>> found = mixed_recipe(base, {"stem.relu": np.arange(64) % 2, "stages.0.0.relu1": np.full(64, 3)})
    >>> found.name, list(map(str, found.mixtures)), found.identities
    ('resnet18-cifar100-safenet-458752', ['stem.relu: 32 relu, 32 cubic'], ('stages.0.0.relu1',))
    """
    mixtures: list[Mixture] = []
    layers: dict[str, list[str]] = {key: [] for key in _LAYER_KEYS.values()}
    for path, of_layer in kinds.items():
        counts = kind_counts(of_layer.tolist())
        present = [kind for kind in KINDS if counts[kind]]
        if len(present) > 1:
            mixtures.append(Mixture(path, **counts))
        elif present[0] in _LAYER_KEYS:
            layers[_LAYER_KEYS[present[0]]].append(path)
    changed = dataclasses.replace(
        base,
        published=None,
        mixtures=tuple(mixtures),
        polynomials=tuple(layers["polynomials"]),
        cubics=tuple(layers["cubics"]),
        identities=tuple(layers["identities"]),
    )
    name = f"{base_name(base)}-{method}-{changed.relu_count}"
    return parse_recipe(format_recipe(dataclasses.replace(changed, name=name)), name)


def mixed_network(recipe: Recipe, kinds: Mapping[str, np.ndarray], state: Mapping[str, Tensor]) -> nn.Module:
    """Returns the network of a recipe of `mixed_recipe` with the weights of a relaxation.

    Args:
        kinds: as for `mixed_recipe`.
        state: the state_dict of the relaxed network.

    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.safenet.relaxed_network import relaxed_network
    >>> base = narrowed(load_recipe("resnet18-cifar100-557056"), 0.0625)
    >>> kinds, state = {"stem.relu": np.array([0, 1, 3, 3])}, relaxed_network(base, build(base).state_dict())
    >>> mixed_network(mixed_recipe(base, kinds), kinds, state.state_dict()).stem.relu.counts
    {'relu': 1, 'cubic': 1, 'quadratic': 0, 'linear': 2}
    """
    module = build(recipe)
    module.load_state_dict(dict(state), strict=False)  # all but the layers that were relaxed
    _set_kinds(module, kinds)
    for path, of_layer in kinds.items():
        part = module.get_submodule(path)
        if isinstance(part, PolynomialActivation):
            _copy_coefficients(
                part, of_layer, {kind: state.get(f"{path}.{kind}.coefficients") for kind in DEGREES}
            )
    return module


def replaced_network(
    recipe: Recipe, kinds: Mapping[str, np.ndarray], state: Mapping[str, Tensor]
) -> nn.Module:
    """Returns the network of a recipe of `mixed_recipe` with the weights of the network with all its ReLUs.

    Polynomials are the ones nearest to ReLU.

    Args:
        kinds: as for `mixed_recipe`.
        state: the state_dict of the network with all its ReLUs.

    >>> from pi_bench.models import load_recipe, narrowed
    >>> base = narrowed(load_recipe("resnet18-cifar100-557056"), 0.0625)
    >>> kinds = {"stem.relu": np.array([3, 1, 0, 3])}
    >>> module = replaced_network(mixed_recipe(base, kinds), kinds, build(base).state_dict())
    >>> module.stem.relu.relu.flatten()
    tensor([False, False,  True, False])
    """
    module = build(recipe)
    module.load_state_dict(dict(state), strict=False)  # which has no polynomials
    _set_kinds(module, kinds)
    start_polynomials(module)
    return module


def _set_kinds(module: nn.Module, kinds: Mapping[str, np.ndarray]) -> None:
    """Gives the channels of mixtures their kinds."""
    for path, of_layer in kinds.items():
        part = module.get_submodule(path)
        if isinstance(part, MixedActivation):
            part.set_kinds(torch.from_numpy(of_layer))


@torch.no_grad()
def _copy_coefficients(
    part: PolynomialActivation, kinds: np.ndarray, coefficients: Mapping[str, Tensor | None]
) -> None:
    """Gives each channel the coefficients of its kind, and those above its degree 0."""
    part.coefficients.zero_()
    for kind, found in coefficients.items():
        channels = torch.from_numpy(kinds == KINDS.index(kind))
        if found is not None and channels.any():
            part.coefficients[: len(found), channels] = found[:, channels]
