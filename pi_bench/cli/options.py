"""Options that several commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pi_bench.cli.arguments import (
    count,
    digest_prefix,
    link,
    number,
    positive_int,
    positive_seconds,
    thread_count,
)
from pi_bench.errors import EnvironmentUnsupportedError, ModelError

if TYPE_CHECKING:
    from pi_bench.network.compiler import CompileOptions

DEFAULT_TIMEOUT_S = 120.0
DEFAULT_WEIGHT_CACHE_MB = 1000


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


def add_batch(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--batch", type=positive_int, metavar="N", help=f"inputs of one inference, run together ({default})"
    )


def add_threads(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--threads", type=thread_count, metavar="N", help=f"computing threads of each party ({default})"
    )


def add_weight_cache(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weight-cache",
        type=count,
        default=DEFAULT_WEIGHT_CACHE_MB,
        metavar="MB",
        help="memory that the server may spend on weights transformed for the offline phase, never more than "
        "a quarter of what is free at its start; what does not fit is transformed for every inference "
        f"({DEFAULT_WEIGHT_CACHE_MB})",
    )


def add_link(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--link",
        type=link,
        metavar="LINK",
        help="the link between the parties, each direction apart: lan, 10g, wan, mobile, or bandwidth and "
        f"round trip such as 100Mbit,40ms (up= and down= for bandwidths apart); {default}",
    )


def add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=DEFAULT_TIMEOUT_S,
        metavar="S",
        help="how long a party may be silent: the other one, in a queue of clients too, or a process of this "
        f"command that neither speaks nor computes, from its start on (default {DEFAULT_TIMEOUT_S:g} s)",
    )


def add_expect_digest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--expect-digest",
        type=digest_prefix,
        metavar="HEX",
        help="fail unless the public program has this digest (see inspect); 16 digits or more of it will do",
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


def recipe_of(models: Any, name: str) -> Any:
    """The recipe of that name, or in that ``.toml`` file; `models` is ``pi_bench.models``.

    Raises:
        ModelError: there is none, or it does not fit the schema.
    """
    if not name.endswith(".toml"):
        return models.load_recipe(name)
    try:
        with open(name, encoding="utf-8") as file:
            return models.parse_recipe(file.read(), name)
    except OSError as error:
        raise ModelError(f"cannot read the recipe {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ModelError(f"recipe {name}: not TOML: it is not UTF-8 text") from None
