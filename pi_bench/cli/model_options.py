"""Options of the commands that read a model file: the file itself and the fixed point."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pi_bench.cli.arguments import number, positive_int
from pi_bench.cli.fusion_option import add_fuse
from pi_bench.errors import EnvironmentUnsupportedError

if TYPE_CHECKING:
    from pi_bench.network.compiler import CompileOptions
    from pi_bench.network.graph import Graph


def add_model(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Adds the argument for the model file.

    Args:
        optional: it may be left out, and is then None.

    >>> parser = argparse.ArgumentParser()
    >>> add_model(parser)
    >>> parser.parse_args(["model.pt"]).model
    'model.pt'
    """
    parser.add_argument(
        "model",
        nargs="?" if optional else None,
        metavar="MODEL.pt",
        help="model file from `pi-bench export` or pi_bench.export()",
    )


def add_compile(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the fixed point. `compile_options` reads them.

    >>> parser = argparse.ArgumentParser()
    >>> add_compile(parser)
    >>> parser.parse_args(["--weight-bits", "8"]).weight_bits
    8
    """
    group = parser.add_argument_group("fixed point")
    group.add_argument(
        "--weight-bits",
        type=positive_int,
        metavar="N",
        help="bits of a signed weight, 2 to 16, for all layers (default: those that the export chose, or 10)",
    )
    group.add_argument(
        "--activation-bits",
        type=positive_int,
        metavar="N",
        help="bits of the calibrated maximum of an activation's result, for all layers (default: the bits of "
        "each layer that the export chose, or 10)",
    )
    group.add_argument(
        "--headroom-bits",
        type=number,
        default=1.0,
        metavar="X",
        help="bits of headroom above the calibrated maximum, 1 to 8 (default 1); each whole bit adds one "
        "AND gate and one label per ReLU",
    )
    group.add_argument(
        "--scales",
        choices=("per-channel", "per-tensor"),
        default="per-channel",
        help="one scale of the weights per output channel, or one per layer; scales are public, so "
        "per-tensor reveals fewer numbers (default per-channel)",
    )
    add_fuse(group)


def require_torch(command: str) -> None:
    """Checks that torch is installed, which makes networks. `command` is named in the error.

    Raises:
        EnvironmentUnsupportedError: torch is not installed, or it does not load.

    >>> require_torch("export")
    """
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise EnvironmentUnsupportedError(
                f"`pi-bench {command}` needs torch, which lacks {error.name!r}"
            ) from None
        raise EnvironmentUnsupportedError(
            f'`pi-bench {command}` needs torch, and torch is not installed: pip install "pi-bench[torch]"'
        ) from None
    except (ImportError, OSError) as error:
        raise EnvironmentUnsupportedError(
            f"`pi-bench {command}` needs torch, which does not load: {error}; "
            'install it again: pip install "pi-bench[torch]"'
        ) from None


def compile_options(
    parsed: argparse.Namespace, graph: Graph | None = None, batch: int | None = None
) -> CompileOptions:
    """Returns the options of the compiler that the user asked for.

    Args:
        graph: the network, whose export chose the bits that the user leaves open.
        batch: number of inputs per inference if --batch is not given; 1 if both are missing.

    >>> parser = argparse.ArgumentParser()
    >>> add_compile(parser)
    >>> parsed = parser.parse_args(["--weight-bits", "8"], argparse.Namespace(batch=None))
    >>> compile_options(parsed, batch=4)
    CompileOptions(weight_bits=8, activation_bits=10, ..., batch=4, ...)
    """
    from pi_bench.fidelity import with_chosen_bits
    from pi_bench.network.compiler import CompileOptions

    default = CompileOptions()
    chosen = CompileOptions(
        weight_bits=parsed.weight_bits or default.weight_bits,
        activation_bits=parsed.activation_bits or default.activation_bits,
        headroom_bits=parsed.headroom_bits,
        per_channel=parsed.scales == "per-channel",
        batch=parsed.batch or batch or 1,
    )
    if graph is None:
        return chosen
    return with_chosen_bits(
        graph, chosen, weights=parsed.weight_bits is None, activations=parsed.activation_bits is None
    )
