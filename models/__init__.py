"""Networks to measure: recipes, their torch modules, random weights. Importing this imports no torch.

Recipes:
    recipe, recipe_keys             the description of a network, and the values that its keys accept
    layer_patterns                  patterns of layers in the keys that replace ReLUs layer by layer
    mixture                         layers whose channels are of several kinds
    recipe_schema, recipe_writing   reads and writes it as TOML
    recipes, shipped_recipes        the recipes that come with pi-bench, and their names
    counted_layers                  operators, parameters and multiply-accumulates, counted without torch

Torch modules:
    families, networks              one file for each family: its keys and operators, and its module
    building, random_weights        makes the module of a recipe, and draws weights and inputs
    recipe_export                   writes a model file

Training:
    data, training                  images as published, and the one loop that trains on them

Fewer ReLUs:
    reduction                       searches: independent trainings, run by an engine
    job_settings, data_defaults     the settings of their jobs, with range and option; defaults of data sets
    deepreduce_plan, criticality    the networks that DeepReDuce explores, and the order of its stages
    linearization, merging          SNL's choice of single ReLUs, and DeepReDuce's merged layers
    senet, autorep                  SENet's budgets of layers and masks; AutoReP's quadratics of pixels
    safenet                         SAFENet's kinds of channels: ReLU, cubic, quadratic or linear
    architectures                   spaces of CryptoNAS and Sphynx, and which architectures are tried next
    darts                           DARTS' training of relaxed cells in Sphynx' space
    planning                        which layers become quadratic, cubic or linear, and in which order
    channel_planning                which groups of channels do so, at the least risk
    channel_effects                 how much each channel of a replaced layer changes the loss
    population                      DELPHI's population-based training of such plans
    pruning, filter_criteria, lfpc  filter pruning, with which SNL is compared, and its criteria
    published                       accuracies that papers publish
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .deepreduce_plan import narrowed
from .linearization.relu_placement import snl_placement
from .recipe import Recipe
from .recipe_schema import parse_recipe, with_polynomials
from .shipped_recipes import full_recipe, load_recipe, recipe_names

if TYPE_CHECKING:
    from .networks.polynomial import PolynomialActivation
    from .recipe_export import export_recipe

__all__ = [
    "PolynomialActivation",
    "Recipe",
    "export_recipe",
    "full_recipe",
    "load_recipe",
    "narrowed",
    "parse_recipe",
    "recipe_names",
    "snl_placement",
    "with_polynomials",
]


def __getattr__(name: str) -> Any:
    if name == "export_recipe":
        from .recipe_export import export_recipe

        return export_recipe
    if name == "PolynomialActivation":
        from .networks.polynomial import PolynomialActivation

        return PolynomialActivation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
