"""The spaces of architectures by name."""

from __future__ import annotations

from typing import Any

from pi_bench.errors import UsageError
from pi_bench.unknown_name import unknown_name

from ..recipe import Recipe
from .cryptonas_space import CryptoNasSpace
from .settings import NasSettings
from .space import Space
from .sphynx_space import SphynxSpace

SPACES: dict[str, type[Space[Any]]] = {space.name: space for space in (CryptoNasSpace, SphynxSpace)}


def space_of(name: str, base: Recipe, settings: NasSettings) -> Space[Any]:
    """Returns the space `name` around the network `base`.

    Raises:
        UsageError: There is no such space, or its networks have more layers than the settings allow.
        ModelError: `base` cannot be the network that a space is made around.

    >>> from pi_bench.models import load_recipe
    >>> space_of("sphynx", load_recipe("sphynx-cifar100-25600"), NasSettings()).reduction_count
    2
    """
    if name not in SPACES:
        raise UsageError(unknown_name("space", name, SPACES))
    return SPACES[name](base, settings)
