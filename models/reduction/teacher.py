"""The trained network with all its ReLUs that a search starts from and distills from."""

from __future__ import annotations

from pathlib import Path

from pi_bench.errors import ModelError, reason

from ..building import build
from ..recipe import Recipe
from ..recipe_export import load_state
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe


def require_full_teacher(folder: Path, base: Recipe) -> None:
    """Checks that `folder` is a finished training of `base`.

    Raises:
        ModelError: It is not, or its weights cannot be read or are not finite.

    >>> from pi_bench.models import load_recipe
    >>> try:
    ...     require_full_teacher(Path("nowhere"), load_recipe("resnet18-cifar100-557056"))
    ... except ModelError as error:
    ...     print(str(error).partition(":")[0])
    --teacher nowhere is not the folder of a training
    """
    recipe = _recipe_of(folder)
    if format_recipe(recipe) != format_recipe(base):
        raise ModelError(
            f"the teacher in {folder} is another network, {recipe.name}: the search starts from {base.name} "
            "and distils from that network with all its ReLUs"
        )
    _require_weights(folder, recipe)


def require_teacher_for(folder: Path, base: Recipe) -> None:
    """Checks that `folder` is a finished training of any network for the images and classes of `base`.

    Raises:
        ModelError: It is not, or its weights cannot be read or are not finite.

    >>> from pi_bench.models import load_recipe
    >>> try:
    ...     require_teacher_for(Path("nowhere"), load_recipe("cnet1-cifar100-86016"))
    ... except ModelError as error:
    ...     print(str(error).partition(":")[0])
    --teacher nowhere is not the folder of a training
    """
    recipe = _recipe_of(folder)
    for key in ("dataset", "input_shape", "class_count"):
        if getattr(recipe, key) != getattr(base, key):
            raise ModelError(
                f"the teacher in {folder} is for other images or classes: its {key} is "
                f"{getattr(recipe, key)}, that of {base.name} is {getattr(base, key)}"
            )
    _require_weights(folder, recipe)


def _recipe_of(folder: Path) -> Recipe:
    path = folder / "recipe.toml"
    try:
        return parse_recipe(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"--teacher {folder} is not the folder of a training: cannot read {path}: {reason(error)}"
        ) from None


def _require_weights(folder: Path, recipe: Recipe) -> None:
    """Reads the weights once, so that a job does not find a damaged file long after the search began.

    Raises:
        ModelError: There are none, or they cannot be used.
    """
    if not (folder / "state.pt").is_file():
        raise ModelError(f"the teacher in {folder} is not trained to its end: there is no state.pt")
    load_state(build(recipe), folder / "state.pt")
