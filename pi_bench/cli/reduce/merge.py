"""`pi-bench reduce merge`: merges adjacent convolutions of trained networks, and finetunes the result."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

from pi_bench.cli import model_options, training_options
from pi_bench.cli.failures import Failures
from pi_bench.cli.output import print_text
from pi_bench.cli.reduce import (
    base_network,
    budget_options,
    engine_options,
    frontier,
    latency_options,
    objective_options,
)
from pi_bench.cli.reduce.search import searched
from pi_bench.errors import UsageError
from pi_bench.measurement_options.fusion_objective import costs_of_objective
from pi_bench.report.quantities import figure_or_dash
from pi_bench.report.text_table import render_table

_DESCRIPTION = """\
Merges adjacent convolutions of trained networks into one larger convolution, where no ReLU is left between
them, as DeepReDuce does for its Table 7. Residual blocks without ReLUs are merged too. Zero padding between
merged layers is lost, so the borders of maps differ. The effect on accuracy, values and logits is measured,
and the merged network is finetuned with knowledge distillation from the unmerged one. `pi-bench latency`
measures both, and the unmerged network also with --fuse, which keeps the borders exactly and needs no
finetuning. Writes a folder: one training per network, merging.csv, pareto.csv. The same command continues
after a kill.
"""
_EPILOG = """\
examples:
  pi-bench reduce merge deepreduce/networks/2-cull deepreduce/networks/2-thin -o merged
  pi-bench reduce merge --extent full deepreduce/networks/* -o merged-fully
  pi-bench reduce frontier deepreduce merged -o both
"""

_EXTENTS = ("paper", "full")
_EFFECT = (
    "network",
    "convolutions",
    "accuracy %",
    "merged",
    "finetuned",
    "inside",
    "borders",
    "logits differ",
)
_PRIVATE = ("network", "rounds", "truncations", "online ms")


def add_parser(subparsers: Any) -> None:
    """Adds the method to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args("merge networks/2-cull --extent full -o merged".split()).extent
    'full'
    """
    parser = subparsers.add_parser(
        "merge",
        help="merge adjacent linear layers of trained networks (DeepReDuce's Table 7), and finetune",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="folder of a training, such as networks/2-cull of a search",
    )
    base_network.add_output(parser)
    parser.add_argument(
        "--extent",
        type=_extent,
        default="paper",
        metavar="EXTENT",
        help="paper (default): merge the convolutions that Table 7 counts, two per culled stage; full: "
        "merge until no linear value is left between ReLUs; online:LINK, such as online:wan: for each "
        "network the one of both that costs less online time on the link, by costs that are the same on "
        "every machine",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="FOLDER",
        help="folder of a training to distil from (default: each network before it is merged)",
    )
    training_options.add_archive(parser.add_argument_group("data (that of the trainings)"))
    budget_options.add_finetuning(parser, "the unmerged one", "1e-4, of Adam")
    engine_options.add_options(parser)
    latency_options.add_options(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Merges, finetunes and measures the networks, and prints their table. Returns the exit code.

    Raises:
        PiBenchError: a folder holds no training, options do not go together, or a step failed.

    ```python
    from pi_bench.cli import main

    def merge(folder: str) -> int:
        return main(["reduce", "merge", folder, "--extent", "full", "-o", "merged"])
    ```
    """
    latency_options.require(parsed)
    model_options.require_torch("reduce")
    import torch

    search = importlib.import_module("pi_bench.models.reduction.merge")
    base, parsed.data, shared = _trained(search, parsed.folders)
    settings = search.MergingSettings(
        folders=tuple(parsed.folders),
        extent=parsed.extent,
        costs=None if parsed.extent in _EXTENTS else costs_of_objective(parsed.extent, "--extent"),
        finetuning=budget_options.finetuning_settings(parsed, search.default_finetuning(parsed.data), shared),
        data_dir=training_options.data_dir_of(parsed),
        device=training_options.device_of(torch, parsed.device),
        threads=parsed.threads or 1,
        teacher=parsed.teacher,
    )
    from pi_bench.cli.progress import Progress

    with Progress(lines=True) as progress:
        settings = objective_options.with_objective(parsed, settings, progress)
        candidates, _ = searched(
            parsed, base, settings, lambda _, *given, **said: search.merge_networks(*given, **said), progress
        )
        candidates = frontier.predicted(candidates, parsed.output, settings.objective)
        failures = Failures()
        candidates = latency_options.measured(
            parsed, candidates, parsed.output, progress, failures, fuse=parsed.fuse
        )
        unmerged: list[Any] = []
        for place, found in search.unmerged_candidates(settings, parsed.output).items():
            fuse = (parsed.fuse or "online") if place == "kept-borders" else None
            if not failures.exit_code:
                unmerged += latency_options.measured(
                    parsed, found, parsed.output, progress, failures, fuse=fuse
                )
    frontier.add_untrained(candidates, failures)
    print_text(_conclude(parsed, candidates, unmerged))
    return failures.report()


def _extent(text: str) -> str:
    if text not in _EXTENTS:
        try:
            costs_of_objective(text, "--extent")
        except UsageError as error:
            raise argparse.ArgumentTypeError(f"{error}, or write {' or '.join(_EXTENTS)}") from None
    return text


def _trained(search: Any, folders: list[Path]) -> tuple[Any, str, dict[str, Any]]:
    """Returns a recipe of the trainings, their data set, and the settings that a finetuning shares with them.

    Raises:
        ModelError: a folder holds no training.
        UsageError: the trainings do not go together.
    """
    found = [search.trained_in(folder) for folder in folders]
    recipe, settings = found[0]
    for folder, (other, others) in zip(folders, found, strict=True):
        if other.dataset != recipe.dataset or other.input_shape != recipe.input_shape:
            raise UsageError(f"{folders[0]} and {folder} are trained on other images: merge them one by one")
        if others["validation_fraction"] != settings["validation_fraction"]:
            raise UsageError(
                f"{folders[0]} and {folder} have other validation images: merge them to two --output folders"
            )
    return recipe, recipe.dataset, {name: settings[name] for name in budget_options.SHARED}


def _conclude(parsed: argparse.Namespace, candidates: list[Any], unmerged: list[Any]) -> str:
    """Writes the tables and returns the text for the terminal. Raises: TrainingError."""
    table = importlib.import_module("pi_bench.models.reduction.merging_table")
    rows = table.merging_rows(candidates, parsed.output)
    table.write_merging_table(rows, parsed.output)
    frontier.say_cautions(unmerged, table.MERGING_TABLE)
    said = frontier.conclude(
        candidates, parsed.output, "Merged networks", plot=parsed.plot, objective=parsed.objective
    )
    parts = [*render_table(_EFFECT, [_effect(row) for row in rows]), ""]
    if parsed.latency:
        parts += ["private: as it was, with `latency --fuse`, merged"]
        parts += [*render_table(_PRIVATE, [_private(row) for row in rows]), ""]
    return "\n".join([*parts, said, f"wrote {table.MERGING_TABLE} to {parsed.output}"])


def _effect(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        f"{row['conv_count_unmerged']} to {row['conv_count_merged']}",
        *(
            figure_or_dash(row[f"test_{state}_pct"], "{:.2f}")
            for state in ("unmerged", "merged", "finetuned")
        ),
        figure_or_dash(row["inside_difference"], "{:.0e}"),
        *(figure_or_dash(row[key], "{:.1f} %", 100) for key in ("border_difference", "logit_difference")),
    )


def _private(row: dict[str, Any]) -> tuple[str, ...]:
    def three(key: str, form: str, factor: float = 1) -> str:
        states = ("unmerged", "kept_borders", "merged")
        return ", ".join(figure_or_dash(row[f"{key}_{state}"], form, factor) for state in states)

    return (
        row["name"],
        three("comm_round_count", "{:g}"),
        three("truncation_count", "{:,}"),
        three("latency_s", "{:.2f}", 1000),
    )
