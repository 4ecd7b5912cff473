"""`pi-bench export` of the user's own networks, from code or from a file."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.article import with_article
from pi_bench.cli import fidelity_options
from pi_bench.cli.arguments import number
from pi_bench.cli.export_inputs import calibration_inputs, read_labels
from pi_bench.errors import ModelError, UsageError
from pi_bench.unknown_name import unknown_name

if TYPE_CHECKING:
    from pi_bench.network.graph import Graph


_NAMED = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``--module``.

    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser)
    >>> parser.parse_args(["--input-shape", "3,32,32"]).input_shape
    (3, 32, 32)
    """
    group = parser.add_argument_group("a module of your own")
    group.add_argument(
        "--module-arguments",
        type=_json_object,
        metavar="JSON",
        help="keyword arguments for NAME, such as '{\"classes\": 10}'",
    )
    group.add_argument(
        "--input-shape",
        type=_shape,
        metavar="C,H,W",
        help="shape of one input: channels,height,width, channels,length or the number of features; not "
        "needed with --calibration",
    )
    group.add_argument(
        "--own-weights",
        choices=("given", "random"),
        help="where the weights come from that the module has on its own, without --weights: given, such as "
        "trained ones that NAME reads, or random; the model file notes it",
    )
    group.add_argument(
        "--weights-key",
        metavar="KEY",
        help="where the weights lie in --weights, such as 'ema' or 'state_dict.student'; needed only where "
        "several places fit",
    )
    group.add_argument(
        "--ignore-extra",
        action="store_true",
        help="leave out tensors of --weights that the module lacks, instead of refusing them",
    )
    group.add_argument(
        "--mask-pattern",
        metavar="GLOB",
        help="pattern of the names in --weights that are ReLU masks, such as '*.alpha'; if the module has no "
        "tensor of such a name, say layer1.relu.alpha, the mask applies to the torch.nn.ReLU at layer1.relu",
    )
    group.add_argument(
        "--mask-threshold",
        type=number,
        metavar="X",
        help="set masks to 1 above X and to 0 elsewhere (default: they must hold 0 and 1 alone)",
    )


def require_fitting(parsed: argparse.Namespace) -> None:
    """Refuses an option that does not go with the kind of network.

    Raises:
        UsageError: there is such an option.

    >>> from pi_bench.cli.parser import make_parser
    >>> words = "export --recipe mine.toml --input-shape 3,32,32"
    >>> require_fitting(make_parser().parse_args(words.split()))
    Traceback (most recent call last):
    pi_bench.errors.UsageError: --input-shape goes with --module: a recipe has its own
    """
    for name in ("module_arguments", "own_weights", "mask_pattern", "mask_threshold"):
        if getattr(parsed, name) is not None and parsed.module is None:
            raise UsageError(f"--{name.replace('_', '-')} goes with --module")
    if parsed.input_shape is not None and parsed.recipe is not None:
        raise UsageError("--input-shape goes with --module: a recipe has its own")
    if parsed.weights is not None and parsed.recipe is None and parsed.module is None:
        raise UsageError("--weights goes with --recipe or --module: a file has its own")
    if parsed.own_weights is not None and parsed.weights is not None:
        raise UsageError("--own-weights is about a module without --weights; leave one of them out")
    for name, given in (
        ("--weights-key", parsed.weights_key is not None),
        ("--ignore-extra", parsed.ignore_extra),
    ):
        if given and parsed.weights is None:
            raise UsageError(f"{name} goes with --weights: it is about the checkpoint")
    if parsed.mask_pattern is not None and parsed.weights is None:
        raise UsageError("--mask-pattern goes with --weights: it names tensors of the checkpoint")
    if parsed.mask_threshold is not None and parsed.mask_pattern is None:
        raise UsageError("--mask-threshold goes with --mask-pattern")


def export_file(parsed: argparse.Namespace, path: str) -> Graph:
    """Writes the network of a ``.pt2`` or ONNX file as a model file, and returns its graph.

    Raises:
        UsageError: the shape of an input is not known.
        ModelError: the file holds no network, or one that cannot be lowered.

    ```python
    from pi_bench.cli.parser import make_parser

    def converted(path: str) -> "Graph":
        return export_file(make_parser().parse_args(["export", "--onnx", path, "-o", "model.pt"]), path)
    ```
    """
    from pi_bench.exporting import export
    from pi_bench.network.interchange.source import network_name, read_file

    module = read_file(path)
    sizes = module.input_shape[1:]
    shape = None if None in sizes else tuple(int(size) for size in sizes if size is not None)
    inputs, source = calibration_inputs(parsed, shape)
    meta: dict[str, Any] = {"calibration": {"source": source}}
    return export(
        module,
        None,
        parsed.output,
        calibration=inputs,
        calibration_percentile=parsed.calibration_percentile,
        **fidelity_options.of(parsed),
        labels=read_labels(parsed.labels),
        name=parsed.name or network_name(module, Path(path).stem),
        own_weights="given",
        meta=meta,
    )


def export_module(parsed: argparse.Namespace) -> Graph:
    """Builds the module, loads its weights and masks, writes the model file, and returns the graph.

    Raises:
        UsageError: the shape of an input is not known.
        ModelError: the module cannot be built or lowered, or the weights do not fit.

    ```python
    from pi_bench.cli.parser import make_parser

    def exported(reference: str) -> "Graph":
        words = ["export", "--module", reference, "--input-shape", "3,32,32", "-o", "model.pt"]
        return export_module(make_parser().parse_args(words))
    ```
    """
    from pi_bench.exporting import export
    from pi_bench.network.files.checkpoint import load_weights
    from pi_bench.network.interchange.source import network_name

    module = build_module(parsed.module, parsed.module_arguments or {})
    if parsed.weights is not None:
        ignored = load_weights(
            module,
            parsed.weights,
            masks=parsed.mask_pattern,
            threshold=parsed.mask_threshold,
            weights_key=parsed.weights_key,
            ignore_extra=parsed.ignore_extra,
        )
        tell_left_out(parsed.weights, ignored)
    inputs, source = calibration_inputs(parsed, None)
    stem = parsed.module.partition(":")[0].rpartition(".")[2]
    meta: dict[str, Any] = {"calibration": {"source": source}}
    return export(
        module,
        inputs[:1],
        parsed.output,
        calibration=inputs,
        calibration_percentile=parsed.calibration_percentile,
        **fidelity_options.of(parsed),
        labels=read_labels(parsed.labels),
        name=parsed.name or network_name(module, stem),
        own_weights="given" if parsed.weights is not None else parsed.own_weights,
        meta=meta,
    )


def tell_left_out(weights: str | None, names: Sequence[str]) -> None:
    """Prints to standard error the entries of a checkpoint that were left out, if there are any.

    >>> from contextlib import redirect_stderr
    >>> with redirect_stderr(sys.stdout):
    ...     tell_left_out("checkpoint.pt", ["total_ops", "epoch"])
    left out of checkpoint.pt: total_ops, epoch
    """
    if names:
        shown = ", ".join(f"{name:.80}" for name in names[:_NAMED])
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        print(f"left out of {weights}: {shown}{more}", file=sys.stderr)


def build_module(reference: str, arguments: dict[str, Any]) -> Any:
    """Returns the `torch.nn.Module` at `reference`, or calls the function there with `arguments` to make it.

    `reference` is ``PACKAGE.MODULE:NAME``. The code of that module is run.

    Raises:
        UsageError: the reference has another form, or there is no such module or name.
        ModelError: its code fails, or makes something else.

    >>> build_module("torch.nn:Linear", {"in_features": 3, "out_features": 2})
    Linear(in_features=3, out_features=2, bias=True)
    """
    import torch

    place, _, name = reference.partition(":")
    if not place or not name:
        raise UsageError(f"--module {reference}: MODULE:NAME is needed, such as my_network:build")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does: the user's own code lies here
    try:
        found: Any = importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise _failed(reference, error) from error
        hint = f"; write {place.removesuffix('.py')}:{name}" if place.endswith(".py") else ""
        raise UsageError(
            f"--module {reference}: there is no Python module {error.name!r}, neither installed nor in this "
            f"folder{hint}"
        ) from None
    except Exception as error:  # whatever the user's code raises is the user's to read
        raise _failed(reference, error) from error
    for part in name.split("."):
        if not hasattr(found, part):
            owner = getattr(found, "__name__", type(found).__name__)
            known = [each for each in dir(found) if not each.startswith("_")]
            raise UsageError(f"--module {reference}: {unknown_name('name', part, known, owner=owner)}")
        found = getattr(found, part)
    try:
        if not isinstance(found, torch.nn.Module):
            found = found(**arguments)
    except Exception as error:
        raise _failed(reference, error) from error
    if not isinstance(found, torch.nn.Module):
        raise ModelError(
            f"--module {reference}: it makes {with_article(type(found).__name__)}, no torch.nn.Module"
        )
    return found


def _failed(reference: str, error: Exception) -> ModelError:
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ModelError(f"--module {reference}: {reason:.300}")


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if len(shape) not in (1, 2, 3) or not all(0 < size < 1 << 16 for size in shape):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no shape: channels,height,width or channels,length or features"
        )
    return shape


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON object, such as '{{\"classes\": 10}}'")
    return value
