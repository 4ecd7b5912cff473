"""`pi-bench export --module`, `--pt2`: networks of the user's own, from code or from a file."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.cli.arguments import number
from pi_bench.errors import InputError, ModelError, UsageError, reason

if TYPE_CHECKING:
    import numpy as np

    from pi_bench.network.graph import Graph

NOISE_SAMPLES = 32
_MAX_LABEL_CHARACTERS = 1 << 20


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a module of your own")
    group.add_argument(
        "--module-arguments",
        type=_json_object,
        metavar="JSON",
        help="its keyword arguments, '{\"classes\": 10}'",
    )
    group.add_argument(
        "--input-shape",
        type=_shape,
        metavar="C,H,W",
        help="of one input, or its number of features; not needed with --calibration",
    )
    group.add_argument(
        "--mask-pattern",
        metavar="GLOB",
        help="names in --weights that are ReLU masks, such as '*.alpha'; one that the module lacks masks the "
        "torch.nn.ReLU at the path before its last dot",
    )
    group.add_argument(
        "--mask-threshold",
        type=number,
        metavar="X",
        help="makes these masks binary, 1 above X (default: they must be)",
    )


def require_fitting(parsed: argparse.Namespace) -> None:
    """Raises: UsageError: an option that does not go with the kind of network."""
    for name in ("module_arguments", "mask_pattern", "mask_threshold"):
        if getattr(parsed, name) is not None and parsed.module is None:
            raise UsageError(f"--{name.replace('_', '-')} goes with --module")
    if parsed.input_shape is not None and parsed.recipe is not None:
        raise UsageError("--input-shape goes with --module: a recipe has its own")
    if parsed.weights is not None and parsed.recipe is None and parsed.module is None:
        raise UsageError("--weights goes with --recipe or --module: a file has its own")
    if parsed.mask_pattern is not None and parsed.weights is None:
        raise UsageError("--mask-pattern goes with --weights: it names tensors of the checkpoint")
    if parsed.mask_threshold is not None and parsed.mask_pattern is None:
        raise UsageError("--mask-threshold goes with --mask-pattern")


def export_file(parsed: argparse.Namespace, path: str) -> Graph:
    """Writes the network of a file as a model file.

    Raises:
        UsageError: no shape of an input.
        ModelError: the file holds no network, or one that cannot be lowered.
    """
    from pi_bench.exporting import export
    from pi_bench.network.interchange.source import network_name, read_file

    module = read_file(path)
    sizes = module.input_shape[1:]
    shape = None if None in sizes else tuple(int(size) for size in sizes if size is not None)
    inputs, source = calibration_inputs(parsed, shape)
    meta: dict[str, Any] = {"calibration": {"source": source}, "random_weights": False}
    return export(
        module,
        None,
        parsed.output,
        calibration=inputs,
        calibration_percentile=parsed.calibration_percentile,
        labels=read_labels(parsed.labels),
        name=parsed.name or network_name(module, Path(path).stem),
        meta=meta,
    )


def export_module(parsed: argparse.Namespace) -> Graph:
    """Builds the module, loads its weights and masks, and writes the model file.

    Raises:
        UsageError: no shape of an input.
        ModelError: the module cannot be built, the weights do not fit, or it cannot be lowered.
    """
    from pi_bench.exporting import export
    from pi_bench.network.files.checkpoint import load_weights
    from pi_bench.network.interchange.source import network_name

    module = build_module(parsed.module, parsed.module_arguments or {})
    if parsed.weights is not None:
        load_weights(module, parsed.weights, masks=parsed.mask_pattern, threshold=parsed.mask_threshold)
    inputs, source = calibration_inputs(parsed, None)
    stem = parsed.module.partition(":")[0].rpartition(".")[2]
    meta: dict[str, Any] = {"calibration": {"source": source}}
    if parsed.weights is not None:  # else nobody knows: the module may have read its own
        meta["random_weights"] = False
    return export(
        module,
        inputs[:1],
        parsed.output,
        calibration=inputs,
        calibration_percentile=parsed.calibration_percentile,
        labels=read_labels(parsed.labels),
        name=parsed.name or network_name(module, stem),
        meta=meta,
    )


def read_labels(path: str | None) -> tuple[str, ...]:
    """Class names, one per line of the file; none without a file.

    Raises:
        InputError: it cannot be read, is no text, or has an empty line.
    """
    if path is None:
        return ()
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MAX_LABEL_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read the labels {path}: {reason(error)}; write one class name per line"
        ) from None
    labels = tuple(line.strip() for line in text.splitlines())
    if not labels or not all(labels):
        raise InputError(f"the labels {path} have an empty line or none: write one class name per line")
    if len(text) > _MAX_LABEL_CHARACTERS:
        raise InputError(f"the labels {path} are longer than {_MAX_LABEL_CHARACTERS:,} characters")
    return labels


def build_module(reference: str, arguments: dict[str, Any]) -> Any:
    """The `torch.nn.Module` that ``PACKAGE.MODULE:NAME`` is or, called with `arguments`, returns.

    Raises:
        UsageError: no such form.
        ModelError: it cannot be imported, fails, or makes something else.
    """
    import torch

    place, _, name = reference.partition(":")
    if not place or not name:
        raise UsageError(f"--module {reference}: MODULE:NAME is needed, such as my_network:build")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does: the user's own code lies here
    try:
        found: Any = importlib.import_module(place)
        for part in name.split("."):
            found = getattr(found, part)
        if not isinstance(found, torch.nn.Module):
            found = found(**arguments)
    except Exception as error:  # whatever the user's code raises is the user's to read
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ModelError(f"--module {reference}: {reason:.300}") from error
    if not isinstance(found, torch.nn.Module):
        raise ModelError(f"--module {reference}: it makes a {type(found).__name__}, no torch.nn.Module")
    return found


def calibration_inputs(parsed: argparse.Namespace, shape: tuple[int, ...] | None) -> tuple[np.ndarray, str]:
    """(inputs, what they are): those of --calibration, else seeded noise of --input-shape or of `shape`.

    Raises:
        InputError: a file that is none of real numbers.
        UsageError: no shape is known.
    """
    from pi_bench.npy_file import as_native_float, read_npy

    if parsed.calibration is not None:
        return as_native_float(read_npy(Path(parsed.calibration))), "given inputs"
    shape = parsed.input_shape or shape
    if shape is None:
        raise UsageError("which inputs? give --calibration inputs.npy (better), or --input-shape 3,32,32")
    if len(shape) == 3:
        noise = importlib.import_module("pi_bench.models.random_weights").noise_images
        return noise(NOISE_SAMPLES, shape, parsed.seed), "seeded noise"
    import numpy as np

    generator = np.random.default_rng(parsed.seed)
    return generator.standard_normal((NOISE_SAMPLES, *shape), np.float32), "seeded noise"


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if len(shape) not in (1, 3) or not all(0 < size < 1 << 16 for size in shape):
        raise argparse.ArgumentTypeError(f"{text!r} is no shape: channels,height,width or features")
    return shape


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON object, such as '{{\"classes\": 10}}'")
    return value
