"""`pi-bench export`: a network as a model file, from a recipe or a module; the list of recipes."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Any

from pi_bench.cli import export_module, options
from pi_bench.cli.arguments import number
from pi_bench.cli.output import add_json, deliver, writable
from pi_bench.errors import UsageError
from pi_bench.report.text_table import render_table

_COLUMNS = (
    *("name", "family", "ReLUs", "M params", "M MACs", "culled", "thinned", "alpha", "rho", "blocks"),
    *("paper: accuracy", "latency"),
)
_WORDS = (0, 1, 5, 6, 9)  # the columns that are no figures
_EPILOG = """\
examples:
  pi-bench export --list
  pi-bench export --recipe resnet18-cifar100-12288 -o model.pt
  pi-bench export --recipe resnet18-cifar100-12288 --weights state.pt --calibration images.npy -o model.pt
  pi-bench export --module my_network:build --weights checkpoint.pt --mask-pattern '*.alpha' \\
      --calibration images.npy -o model.pt

Weights are the state_dict of the network (of a recipe: docs/recipes.md). Without them those of a recipe
are random: latency and bytes are those of a trained network, answers mean nothing. In Python, call
pi_bench.export(module, example_input, "model.pt", calibration=inputs).
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers; its namespace has ``run``."""
    parser = subparsers.add_parser(
        "export",
        help="write a network to a model file, or list the recipes",
        description="Write a recipe's network, or one of your own, to a model file; or list the recipes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--list", action="store_true", help="the recipes that come with pi-bench")
    what.add_argument("--recipe", metavar="NAME", help="a name of --list, or a .toml file of your own")
    what.add_argument(
        "--module",
        metavar="MODULE:NAME",
        help="a torch module, or what returns one, in a Python module of your own (its code is run)",
    )
    what.add_argument(
        "--pt2",
        metavar="FILE",
        help="an archive of torch.export.save; nothing of it is run but its operators",
    )
    what.add_argument(
        "--onnx", metavar="FILE", help='an ONNX file, opsets 9 to 25 (pip install "pi-bench[onnx]")'
    )
    add_json(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="the model file to write, replaced if there")
    parser.add_argument(
        "--name",
        type=_name,
        metavar="NAME",
        help="of the network in reports (default: that of the recipe, of the module's class, or of its file)",
    )
    parser.add_argument("--labels", metavar="FILE", help="class names, one per line and per output")
    parser.add_argument("--weights", metavar="FILE", help="state_dict, or checkpoint with one, to use")
    parser.add_argument(
        "--calibration", metavar="FILE.npy", help="typical float inputs (samples, channels, height, width)"
    )
    parser.add_argument(
        "--calibration-percentile",
        type=number,
        default=100.0,
        metavar="P",
        help="of the samples' largest values in each layer, 50 to 100; less leaves out the most extreme "
        "samples, for finer scales (100)",
    )
    parser.add_argument("--seed", type=_seed, default=1, help="of random weights and noise (default 1)")
    parser.add_argument(
        "--polynomial",
        action="append",
        metavar="PATTERN",
        help="with --recipe: polynomials in the place of the ReLUs of these layers ('stages.0.*', '*'); "
        "can be given several times",
    )
    parser.add_argument(
        "--polynomial-degree", type=int, choices=(2, 3), default=2, help="of --polynomial (default 2)"
    )
    parser.add_argument(
        "--polynomial-relu-share",
        type=number,
        default=0.0,
        metavar="PART",
        help="of --polynomial: the part of each layer's channels that keep ReLU, 0 to 0.99 (default 0)",
    )
    export_module.add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; the exit status.

    Raises:
        PiBenchError: what the user can do something about.
    """
    models = importlib.import_module("pi_bench.models")
    if args.list:
        writable(args.json)
        recipes = [models.load_recipe(name).summary() for name in models.recipe_names()]
        deliver(list_table(recipes), args.json, recipes)
        return 0
    if args.json is not None:
        raise UsageError("--json goes with --list")
    if args.output is None:
        raise UsageError("--output is missing: where to write the model, e.g. -o model.pt")
    export_module.require_fitting(args)
    recipe = None if args.recipe is None else options.recipe_of(models, args.recipe)
    if args.polynomial:
        if recipe is None:
            raise UsageError(
                "--polynomial goes with --recipe; a module of your own has its activations in it"
            )
        recipe = models.with_polynomials(
            recipe, args.polynomial, args.polynomial_degree, args.polynomial_relu_share
        )
    writable(args.output)
    options.require_torch("export")
    if recipe is not None:
        print(f"exporting {recipe.name} …", file=sys.stderr)
        graph = models.export_recipe(
            recipe,
            args.output,
            weights=args.weights,
            calibration=args.calibration,
            calibration_percentile=args.calibration_percentile,
            seed=args.seed,
            labels=export_module.read_labels(args.labels),
            name=args.name,
        )
    elif args.module is not None:
        print(f"exporting {args.module} …", file=sys.stderr)
        graph = export_module.export_module(args)
    else:
        print(f"exporting {args.pt2 or args.onnx} …", file=sys.stderr)
        graph = export_module.export_file(args, args.pt2 or args.onnx)
    print(describe(graph, args.output))
    return 0


def list_table(recipes: list[dict[str, Any]]) -> str:
    """The recipes as an aligned table; what a paper does not report is a dash."""
    lines = [
        *render_table(_COLUMNS, [_row(recipe) for recipe in recipes], left=_WORDS),
        "",
        "Accuracy and latency are the papers' (latency with DELPHI), not this program's.",
    ]
    return "\n".join(lines)


def describe(graph: Any, path: str) -> str:
    """What was written, for the terminal: network, weights, calibration, headroom."""
    meta = graph.meta
    shape = " x ".join(map(str, graph.input.shape))
    weight_count = sum(array.size for array in graph.parameters.values())
    polynomials = f"{graph.polynomial_count:,} polynomials, " if graph.polynomial_count else ""
    headroom = meta["headroom_bits"]
    tightest = min(headroom, key=headroom.__getitem__, default=None)
    lines = [
        f"wrote {path}: {meta['name']}",
        f"  {graph.relu_count:,} ReLUs, {polynomials}input {shape}, {graph.output.shape[0]} outputs, "
        f"{weight_count:,} weights",
    ]
    if meta.get("random_weights"):
        lines.append(f"  weights are RANDOM (seed {meta['seed']}): latency is real, answers mean nothing")
    calibration = meta["calibration"]
    line = f"  calibrated on {calibration['sample_count']} samples of {calibration['source']}"
    if tightest is not None:
        line += f"; headroom at least {headroom[tightest]:.2f} bits ({tightest})"
    lines.append(line)
    if calibration["source"] == "seeded noise" and not meta.get("random_weights"):
        lines.append(
            "  real inputs may leave ranges that noise has set: give some with --calibration FILE.npy"
        )
    return "\n".join(lines)


def _row(recipe: dict[str, Any]) -> tuple[str, ...]:
    accuracy, latency = recipe["published_accuracy_pct"], recipe["published_latency_s"]
    return (
        recipe["name"],
        recipe["family"],
        f"{recipe['relu_count']:,}",
        f"{recipe['parameter_count'] / 1e6:.2f}",
        f"{recipe['mac_count'] / 1e6:,.0f}",
        "+".join(recipe["culled"]) or "-",
        "+".join(recipe["thinned"]) or "-",
        f"{recipe['alpha']:g}",
        f"{recipe['rho']:g}",
        "-".join(map(str, recipe["blocks"])),
        "-" if accuracy is None else f"{accuracy:.2f} %",
        "-" if latency is None else f"{latency:g} s",
    )


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > 256:
        raise argparse.ArgumentTypeError(f"{text!r:.80} is no printable text of 1 to 256 characters")
    return text


def _seed(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**63 - 1")
    return value
