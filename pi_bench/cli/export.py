"""`pi-bench export`: writes a network to a model file, from a recipe, a module or a file; lists recipes."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Any

from pi_bench.cli import export_module, fidelity_options, model_options
from pi_bench.cli.arguments import as_fields, number
from pi_bench.cli.export_inputs import read_labels
from pi_bench.cli.output import add_json, deliver, writable
from pi_bench.cli.recipes import list_table, recipe_of
from pi_bench.errors import UsageError

_EPILOG = """\
examples:
  pi-bench export --list
  pi-bench export --recipe resnet18-cifar100-12288 -o model.pt
  pi-bench export --recipe resnet18-cifar100-12288 --weights state.pt --calibration images.npy -o model.pt
  pi-bench export --module my_network:build --weights checkpoint.pt --mask-pattern '*.alpha' \\
      --calibration images.npy -o model.pt

--weights takes the state_dict of the network. docs/recipes.md lists its names for the networks of recipes.
Without --weights, the weights of a recipe are random. Latency and bytes are then those of a trained network,
but answers mean nothing.

In Python, call pi_bench.export(module, example_input, "model.pt", calibration=inputs).
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> parser = argparse.ArgumentParser()
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["export", "--recipe", "mine.toml", "-o", "model.pt"]).output
    'model.pt'
    """
    parser = subparsers.add_parser(
        "export",
        description="Writes the network of a recipe, or one of your own, to a model file. With --list, "
        "prints the recipes.",
        epilog=_EPILOG,
    )
    _add_source(parser)
    add_json(parser, "export")
    _add_files(parser)
    _add_calibration(parser)
    _add_polynomials(parser)
    fidelity_options.add_options(parser)
    export_module.add_options(parser)
    parser.set_defaults(run=run)


def _add_source(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--list", action="store_true", help="list the recipes that come with pi-bench")
    what.add_argument(
        "--recipe", metavar="NAME", help="recipe to export: a name from --list, or a .toml file of your own"
    )
    what.add_argument(
        "--module",
        metavar="MODULE:NAME",
        help="torch module, or a function that returns one, in a Python module of your own; its code is run",
    )
    what.add_argument(
        "--pt2",
        metavar="FILE",
        help="archive of torch.export.save; nothing in it is run except its operators",
    )
    what.add_argument(
        "--onnx", metavar="FILE", help='ONNX file, opsets 6 to 28 (pip install "pi-bench[onnx]")'
    )


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="model file to write; an existing file is replaced"
    )
    parser.add_argument(
        "--name",
        type=_name,
        metavar="NAME",
        help="name of the network in reports (default: that of the recipe, of the module's class, or of "
        "its file)",
    )
    parser.add_argument("--labels", metavar="FILE", help="class names, one line per output of the network")
    parser.add_argument("--weights", metavar="FILE", help="state_dict to use, or a checkpoint that holds one")


def _add_calibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibration",
        metavar="FILE.npy",
        help="typical inputs, float, of shape (samples, channels, height, width), (samples, channels, "
        "length) or (samples, features)",
    )
    parser.add_argument(
        "--calibration-percentile",
        type=_percentile,
        default=100.0,
        metavar="P",
        help="percentile of the samples' largest values that sets the range of each layer, 50 to 100 "
        "(default 100); below 100 it leaves out the most extreme samples, which gives finer scales",
    )
    parser.add_argument("--seed", type=_seed, default=1, help="seed of random weights and noise (default 1)")


def _add_polynomials(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--polynomial",
        action="append",
        metavar="PATTERN",
        help="with --recipe: use polynomials instead of ReLUs in the layers that match, such as "
        "'stages.0.*' or '*'; can be given several times",
    )
    parser.add_argument(
        "--polynomial-degree",
        type=int,
        choices=(2, 3),
        default=2,
        help="degree of these polynomials (default 2)",
    )
    parser.add_argument(
        "--polynomial-relu-fraction",
        type=number,
        default=0.0,
        metavar="PART",
        help="fraction of the channels of each of these layers that keep ReLU, 0 to 0.99 (default 0)",
    )


def run(args: argparse.Namespace) -> int:
    """Writes the model file, or lists the recipes. Returns the exit code.

    Raises:
        UsageError: options do not go together, or ``--output`` is missing.
        ModelError: the network cannot be built, read or lowered, or its weights do not fit.
        InputError: the calibration inputs or the labels cannot be used.
        OutputError: a file cannot be written.

    >>> parser = argparse.ArgumentParser()
    >>> add_parser(parser.add_subparsers())
    >>> run(parser.parse_args(["export", "--list"]))
    name  family  ReLUs ...
    0
    """
    models = importlib.import_module("pi_bench.models")
    if args.list:
        writable(args.json)
        recipes = [models.load_recipe(name).summary() for name in models.recipe_names()]
        deliver(list_table(recipes), args.json, recipes)
        return 0
    if args.output is None:
        raise UsageError("--output is missing: where to write the model, e.g. -o model.pt")
    export_module.require_fitting(args)
    recipe = None if args.recipe is None else recipe_of(models, args.recipe)
    if args.polynomial:
        if recipe is None:
            raise UsageError(
                "--polynomial goes with --recipe; a module of your own has its activations in it"
            )
        recipe = models.with_polynomials(
            recipe, args.polynomial, args.polynomial_degree, args.polynomial_relu_fraction
        )
    for name in (args.output, args.json):
        writable(name, args)
    fidelity_options.require_fitting(args)
    model_options.require_torch("export")
    with fidelity_options.printed_warnings():
        graph = _export(args, recipe)
    from pi_bench.report.export import build_export, describe

    document = None if args.json is None else build_export(graph, args.output, as_fields(args))
    deliver(describe(graph, args.output, folded=args.onnx is not None), args.json, document)
    if fidelity_options.are_few(graph):
        print(
            "warning: so few calibration inputs cannot show a fidelity: give 32 or more typical ones, half "
            "of which are held out",
            file=sys.stderr,
        )
    return 0


def _export(args: argparse.Namespace, recipe: Any) -> Any:
    """Writes the model file, and returns its graph."""
    if recipe is not None:
        print(f"exporting {recipe.name} …", file=sys.stderr)
        models = importlib.import_module("pi_bench.models")
        graph = models.export_recipe(
            recipe,
            args.output,
            weights=args.weights,
            weights_key=args.weights_key,
            ignore_extra=args.ignore_extra,
            calibration=args.calibration,
            calibration_percentile=args.calibration_percentile,
            seed=args.seed,
            labels=read_labels(args.labels),
            name=args.name,
            **fidelity_options.of(args),
        )
        export_module.tell_left_out(args.weights, graph.meta.get("left_out_of_weights", ()))
    elif args.module is not None:
        print(f"exporting {args.module} …", file=sys.stderr)
        graph = export_module.export_module(args)
    else:
        print(f"exporting {args.pt2 or args.onnx} …", file=sys.stderr)
        graph = export_module.export_file(args, args.pt2 or args.onnx)
    return graph


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > 256:
        raise argparse.ArgumentTypeError(f"{text!r:.80} is no printable text of 1 to 256 characters")
    return text


def _percentile(text: str) -> float:
    value = number(text)
    if not 50 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is no percentile from 50 to 100")
    return value


def _seed(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**63 - 1")
    return value
