"""The argument of the commands that read a model file, and what they need to make one."""

from __future__ import annotations

import argparse

from pi_bench.errors import EnvironmentUnsupportedError


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
