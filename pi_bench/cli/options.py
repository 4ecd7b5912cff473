"""Options of the commands that read a model file: the file itself and the fixed point."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pi_bench.cli.arguments import number, positive_int
from pi_bench.errors import EnvironmentUnsupportedError

if TYPE_CHECKING:
    from pi_bench.network.compiler import CompileOptions


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL.pt", help="made by `pi-bench export` or pi_bench.export()")


def add_compile(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("fixed point")
    group.add_argument(
        "--weight-bits",
        type=positive_int,
        default=10,
        metavar="N",
        help="bits of a signed weight, 2 to 16 (10)",
    )
    group.add_argument(
        "--activation-bits",
        type=positive_int,
        default=10,
        metavar="N",
        help="bits of an activation's calibrated maximum (10)",
    )
    group.add_argument(
        "--headroom-bits",
        type=number,
        default=1.0,
        metavar="X",
        help="how many bits larger than calibrated a value may be, 1 to 8; each whole bit costs an AND gate "
        "and a label a ReLU (1)",
    )
    group.add_argument(
        "--scales",
        choices=("per-channel", "per-tensor"),
        default="per-channel",
        help="weight scales; they are public, and per-tensor reveals fewer of them (per-channel)",
    )
    group.add_argument(
        "--merge",
        action="store_true",
        help="merge linear layers between which no ReLU stands where that is predicted to save online time "
        "and no offline bytes grow; the float network stays the same, the integer one is another",
    )


def require_torch(command: str) -> None:
    """Model files are read and written by torch.

    Raises:
        EnvironmentUnsupportedError: it is not installed, or does not load.
    """
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise EnvironmentUnsupportedError(
                f"`pi-bench {command}` needs torch, which lacks {error.name!r}"
            ) from None
        raise EnvironmentUnsupportedError(
            f"`pi-bench {command}` needs torch for model files, and torch is not installed: "
            'pip install "pi-bench[torch]"'
        ) from None
    except (ImportError, OSError) as error:
        raise EnvironmentUnsupportedError(
            f"`pi-bench {command}` needs torch, which does not load: {error}; "
            'install it again: pip install "pi-bench[torch]"'
        ) from None


def compile_options(parsed: argparse.Namespace, batch: int | None = None) -> CompileOptions:
    from pi_bench.network.compiler import CompileOptions

    return CompileOptions(
        weight_bits=parsed.weight_bits,
        activation_bits=parsed.activation_bits,
        headroom_bits=parsed.headroom_bits,
        per_channel=parsed.scales == "per-channel",
        batch=parsed.batch or batch or 1,
    )
