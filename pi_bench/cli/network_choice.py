"""Finds the networks that the user names: recipes, patterns of their names, and model files."""

from __future__ import annotations

import glob
import hashlib
import importlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.cli.recipes import recipe_of
from pi_bench.errors import ModelError, UsageError, reason
from pi_bench.unknown_name import similar_names

if TYPE_CHECKING:
    from pi_bench.sweep import Network

_WILDCARDS = frozenset("*?[")


def networks_of(words: Sequence[str]) -> list[Network]:
    """Returns the networks that the words name, each once, in the order of the words.

    A word is the name of a recipe, a pattern of names such as ``resnet18-cifar100-*``, a ``.toml`` file with
    a recipe, or a model file. Several words may stand in one, with commas between them.

    Raises:
        UsageError: a word matches nothing, or two networks have one name. The message offers similar names.
        ModelError: a file cannot be read, or holds no recipe.

    >>> [network.name for network in networks_of(["sphynx-cifar100-2*,minionn-cifar10-173056"])]
    ['sphynx-cifar100-25600', 'minionn-cifar10-173056']
    """
    found: dict[str, Network] = {}
    for word in words:
        for part in [word] if Path(word).exists() else filter(None, word.split(",")):
            for network in _named(part):
                if found.setdefault(network.name, network).identity != network.identity:
                    raise UsageError(f"two networks are called {network.name}; rename one of their files")
    if not found:
        raise UsageError("--network names nothing: give a recipe (`pi-bench export --list`) or a model file")
    return list(found.values())


def network_of_recipe(recipe: Any) -> Network:
    """Returns the network of a recipe. Its weights are random.

    >>> from importlib import import_module
    >>> network_of_recipe(import_module("pi_bench.models").load_recipe("minionn-cifar10-173056")).file is None
    True
    """
    from pi_bench.sweep import Network

    models = importlib.import_module("pi_bench.models")
    text = importlib.import_module("pi_bench.models.recipe_writing").format_recipe(recipe)
    export = partial(_export, models, recipe)
    return Network(recipe.name, hashlib.sha256(text.encode()).hexdigest(), export=export)


def network_of_file(path: Path, name: str | None = None) -> Network:
    """Returns the network of a model file.

    Args:
        name: names it in the sweep; None for the name of the file.

    Raises:
        ModelError: the file cannot be read.

    >>> network_of_file(Path("no-such-model.pt"))
    Traceback (most recent call last):
    pi_bench.errors.ModelError: cannot read no-such-model.pt: No such file or directory
    """
    from pi_bench.sweep import Network

    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {reason(error)}") from None
    own = "".join(each if each.isprintable() else "?" for each in path.name)  # folders are private
    return Network(name or own, digest, file=path)


def _export(models: Any, recipe: Any, path: Path) -> None:
    from pi_bench.cli.fidelity_options import printed_warnings
    from pi_bench.cli.model_options import require_torch

    require_torch("sweep")
    with printed_warnings():
        models.export_recipe(recipe, path)


def _named(word: str) -> Iterator[Network]:
    models = importlib.import_module("pi_bench.models")
    names = models.recipe_names()
    if word in names or word.endswith(".toml"):
        yield network_of_recipe(recipe_of(models, word))
    elif _is_path(word):
        files = sorted(glob.glob(word)) if _WILDCARDS & set(word) and not Path(word).exists() else [word]
        if not files:
            raise UsageError(f"no file matches {word[:80]!r}")
        yield from (network_of_file(Path(file)) for file in files)
    elif matching := [name for name in names if fnmatchcase(name, word)]:
        yield from (network_of_recipe(models.load_recipe(name)) for name in matching)
    else:
        question = similar_names(word.strip("*?"), names)
        asked = (
            f"{question} `pi-bench export --list` shows all" if question else "see `pi-bench export --list`"
        )
        raise UsageError(f"no recipe matches {word[:80]!r}, and it is no file; {asked}")


def _is_path(word: str) -> bool:
    return "/" in word or word.endswith(".pt") or Path(word).exists()
