"""Tables of papers with the figures that they print: one CSV file per table, and one that lists them.

A row names a network by the recipe that builds it. `kept` changes the recipe: it names the parts that keep
their ReLUs, as the papers write it. A row whose network has no published definition has no recipe. Nothing
here imports torch.
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from pi_bench.errors import ModelError, UsageError
from pi_bench.unknown_name import unknown_name

from ...recipe import Recipe
from ...shipped_recipes import load_recipe

_COLUMNS = (
    *("method", "network", "recipe", "kept", "relu_count", "accuracy_pct", "accuracy_without_kd_pct"),
    *("latency_s", "source", "note"),
)
_KEPT = re.compile(
    r"(?P<parts>none|Conv1|S\d(RT)?(\+S\d(RT)?)*)(, alpha=(?P<alpha>[\d.]+))?(, rho=(?P<rho>[\d.]+))?"
)
_STAGE = re.compile(r"S(\d)(RT)?")


@dataclass(frozen=True, slots=True)
class PublishedNetwork:
    """One row of a table: a network and the figures that the paper prints for it.

    Attributes:
        method: the name of the method.
        network: the network, as the table prints it.
        recipe: the name of a recipe; empty if the network has no published definition.
        kept: the parts that keep their ReLUs, such as "S2RT+S3, alpha=0.5"; empty for those of the recipe.
        relu_count: the number of ReLUs as printed, often rounded.
        accuracy_pct: the test accuracy in percent; of networks that were trained with distillation.
        accuracy_without_kd_pct: the test accuracy in percent without distillation.
        latency_s: the private latency in seconds.
        source: the place where the row was read.
        note: a caution; may be empty.

    >>> load_table("deepreduce-4").networks[1].latency_s
    4.61
    """

    method: str
    network: str
    recipe: str
    kept: str
    relu_count: int | None
    accuracy_pct: float | None
    accuracy_without_kd_pct: float | None
    latency_s: float | None
    source: str
    note: str

    def built(self) -> Recipe | None:
        """Returns the recipe of the network, or None if it has no published definition."""
        if not self.recipe:
            return None
        recipe = load_recipe(self.recipe)
        return reduced(recipe, self.kept) if self.kept else recipe


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table of a paper.

    Attributes:
        name: names the table in commands.
        title: names the paper, the table and its subject.
        note: explains the words of its rows; may be empty.
        test_bed: describes the machines of the published latencies; empty where the table has none.
        networks: the rows in the order of the paper.

    >>> load_table("deepreduce-8").test_bed
    ''
    """

    name: str
    title: str
    note: str
    test_bed: str
    networks: tuple[PublishedNetwork, ...]


def table_names() -> dict[str, str]:
    """Returns the titles of all tables by their names.

    >>> table_names()["deepreduce-4"]
    'DeepReDuce Table 4: ResNet18 with fewer ReLUs, CIFAR-100'
    """
    return {row["name"]: row["title"] for row in _index()}


def load_table(name: str) -> PublishedTable:
    """Returns the table of that name.

    Raises:
        UsageError: there is none. The message offers similar names.
        ModelError: the file of the table is not valid.

    >>> len(load_table("deepreduce-5").networks)
    13
    """
    found = {row["name"]: row for row in _index()}
    if name not in found:
        raise UsageError(unknown_name("table", name, found))
    row = found[name]
    networks = parse_networks(_text(name), f"{name}.csv")
    return PublishedTable(name, row["title"], row["note"], row["test_bed"], tuple(networks))


def parse_networks(text: str, origin: str) -> list[PublishedNetwork]:
    """Returns the rows of the CSV `text`.

    Args:
        origin: the name of the file in messages.

    Raises:
        ModelError: a column is missing, or a value is outside its range.

    >>> header = "method,network,recipe,kept,relu_count,accuracy_pct,accuracy_without_kd_pct,latency_s,source"
    >>> parse_networks(f"{header},note\\nSNL,ResNet18,,,15000,67.17,,1.5,Table 1,", "mine.csv")[0].latency_s
    1.5
    """
    reader = csv.DictReader(text.splitlines(), restkey="")
    if tuple(reader.fieldnames or ()) != _COLUMNS:
        raise ModelError(f"{origin}: the columns must be {', '.join(_COLUMNS)}")
    return [_network(row, f"{origin}, line {reader.line_num}") for row in reader]


def reduced(recipe: Recipe, kept: str) -> Recipe:
    """Returns `recipe`, which has all its ReLUs, with those of some parts alone.

    Args:
        kept: stages with plus signs between them, "RT" after a thinned one, then perhaps alpha and rho: such
            as "S2RT+S3, alpha=0.5". "Conv1" keeps the ReLU of the stem alone, and "none" keeps none.

    Raises:
        ModelError: the text is anything else, or names a stage that the recipe does not have.

    >>> from pi_bench.models import load_recipe
    >>> found = reduced(load_recipe("resnet18-cifar100-557056"), "S2RT+S3RT")
    >>> found.name, found.culled_stages
    ('resnet18-cifar100-s2rt-s3rt-98304', (1, 4))
    """
    match = _KEPT.fullmatch(kept)
    stages = {int(found[1]): bool(found[2]) for found in _STAGE.finditer(kept)}
    if match is None or not all(1 <= stage <= recipe.stage_count for stage in stages):
        raise ModelError(f"recipe {recipe.name}: {kept!r:.60} names no parts of it")
    base = recipe.name.removesuffix(f"-{recipe.relu_count}")
    changed = dataclasses.replace(
        recipe,
        published=None,
        stem_relu=match["parts"] == "Conv1",
        culled_stages=tuple(each for each in range(1, recipe.stage_count + 1) if each not in stages),
        thinned_stages=tuple(sorted(stage for stage, thinned in stages.items() if thinned)),
        alpha=float(match["alpha"] or recipe.alpha),
        rho=float(match["rho"] or recipe.rho),
    )
    words = re.sub(r"[^a-z0-9.]+", "-", kept.lower())
    return dataclasses.replace(changed, name=f"{base}-{words}-{changed.relu_count}")


def _network(row: dict[str, str | None], place: str) -> PublishedNetwork:
    texts = {name: value for name, value in row.items() if value is not None}
    if set(texts) != set(_COLUMNS):
        raise ModelError(f"{place}: {len(_COLUMNS)} values are needed")
    for name in ("method", "network", "source"):
        if not texts[name]:
            raise ModelError(f"{place}: {name} is empty")
    if texts["kept"] and not texts["recipe"]:
        raise ModelError(f"{place}: kept needs a recipe")
    count = _number(texts, "relu_count", 1 << 40, place)
    return PublishedNetwork(
        texts["method"],
        texts["network"],
        texts["recipe"],
        texts["kept"],
        None if count is None else int(count),
        _number(texts, "accuracy_pct", 100, place),
        _number(texts, "accuracy_without_kd_pct", 100, place),
        _number(texts, "latency_s", 1e6, place),
        texts["source"],
        texts["note"],
    )


def _number(texts: dict[str, str], name: str, most: float, place: str) -> float | None:
    if not texts[name]:
        return None
    try:
        value = float(texts[name])
    except ValueError:
        value = -1.0
    if not 0 <= value <= most or (name == "relu_count" and value != int(value)):  # NaN is refused too
        raise ModelError(
            f"{place}: {name} is {texts[name]!r:.40}, a number from 0 to {most:g} or nothing is needed"
        )
    return value


def _index() -> Sequence[dict[str, str]]:
    return list(csv.DictReader(_text("index").splitlines()))


def _text(name: str) -> str:
    return files(__package__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
