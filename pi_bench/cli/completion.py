"""`pi-bench completion`: prints a script that lets a shell complete commands, options and file names."""

from __future__ import annotations

import argparse
from typing import Any

from pi_bench.errors import EnvironmentUnsupportedError

_SHELLS = ("bash", "zsh", "fish")
_EPILOG = """\
examples:
  pi-bench completion bash > ~/.local/share/bash-completion/completions/pi-bench
  pi-bench completion zsh > ~/.zfunc/_pi-bench        (a folder in $fpath, before compinit)
  pi-bench completion fish > ~/.config/fish/completions/pi-bench.fish
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> parser = argparse.ArgumentParser()
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["completion", "bash"]).shell
    'bash'
    """
    parser = subparsers.add_parser(
        "completion",
        description="Prints a script that lets the shell complete commands, options and file names.",
        epilog=_EPILOG,
    )
    parser.add_argument("shell", choices=_SHELLS, help="the shell that reads the script")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Prints the completion script, and returns the exit code.

    Raises:
        EnvironmentUnsupportedError: shtab is missing, or is too old for the shell.

    ```python
    from pi_bench.cli import main

    def print_script(shell: str) -> int:
        return main(["completion", shell])
    ```
    """
    from pi_bench.cli.parser import make_parser

    try:
        import shtab
    except ModuleNotFoundError:
        raise EnvironmentUnsupportedError(
            '`pi-bench completion` needs shtab: pip install "pi-bench[completion]"'
        ) from None
    if parsed.shell not in shtab.SUPPORTED_SHELLS:
        raise EnvironmentUnsupportedError(
            f'this shtab writes no script for {parsed.shell}: pip install --upgrade "pi-bench[completion]"'
        )
    parser = make_parser()
    _complete_files(parser, shtab)
    print(shtab.complete(parser, shell=parsed.shell))
    return 0


def _complete_files(parser: argparse.ArgumentParser, shtab: Any) -> None:
    """Marks the arguments of every command that name a file or a folder, by their metavars."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, shtab)
        elif isinstance(action.metavar, str):
            if action.metavar.startswith(("FILE", "MODEL.pt", "PATH")):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.metavar.startswith("FOLDER"):
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
