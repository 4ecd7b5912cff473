"""Options of the searches: their objective, and how `pi-bench latency` measures their networks."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pi_bench.cli import protocol_options
from pi_bench.cli.arguments import Parser, count, positive_int
from pi_bench.cli.failures import Failures
from pi_bench.cli.interruption import interruption_text
from pi_bench.cli.reduce import objective_options
from pi_bench.errors import by_exit_code, interruption_code
from pi_bench.report.quantities import counted


def add_options(parser: Parser) -> None:
    """Adds the options of measuring. `measured` reads them.

    >>> parser = Parser(prog="pi-bench")
    >>> add_options(parser)
    >>> parser.parse_args(["--runs", "3"]).runs
    3
    """
    group = parser.add_argument_group("measuring each network, after the trainings")
    group.add_argument(
        "--no-latency",
        dest="latency",
        action="store_false",
        help="do not measure; report ReLUs and accuracy alone",
    )
    group.add_argument(
        "--runs", type=positive_int, default=5, metavar="N", help="timed runs per network (default 5)"
    )
    group.add_argument(
        "--warmup", type=count, default=1, metavar="N", help="untimed runs before the timed ones (default 1)"
    )
    group.add_argument(
        "--no-plot", dest="plot", action="store_false", help="draw no figure; matplotlib is then not needed"
    )
    objective_options.add_options(parser)
    protocol_options.add_protocol(parser)


def require(parsed: argparse.Namespace) -> None:
    """Checks the options of measuring, before a long search rather than after it.

    Raises:
        UsageError: there is no such protocol or mode.
        EnvironmentUnsupportedError: the figure needs matplotlib.

    >>> parser = Parser(prog="pi-bench")
    >>> add_options(parser)
    >>> require(parser.parse_args(["--mode", "sloppy", "--no-plot"]))
    Traceback (most recent call last):
    pi_bench.errors.UsageError: ...
    """
    if parsed.latency:
        protocol_options.protocol_of(parsed)
    objective_options.require(parsed)
    if parsed.plot:
        importlib.import_module("pi_bench.models.reduction.plot").require_matplotlib()


def measured(
    parsed: argparse.Namespace,
    candidates: list[Any],
    root: Path,
    progress: Any,
    failures: Failures,
    *,
    fuse: str | None = None,
) -> list[Any]:
    """Returns the candidates with their private latencies, or unchanged with ``--no-latency``.

    Args:
        root: the output folder, which holds the candidates' folders.
        failures: collects Ctrl-C. The networks that were not measured then say so.
        fuse: the objective of ``--fuse``, such as ``online:wan``. With None, nothing is fused.

    Raises:
        PiBenchError: a measurement failed.

    >>> parser = Parser(prog="pi-bench")
    >>> add_options(parser)
    >>> measured(parser.parse_args(["--no-latency"]), [], Path("folder"), None, Failures())
    []
    """
    if not parsed.latency:
        return candidates
    from pi_bench.cli.warnings import warn_of_protocol

    info, options = protocol_options.protocol_of(parsed)
    warn_of_protocol(info)
    wanted = {
        "protocol": info.name,
        "mode": options.mode,
        "options": dict(options.values),
        "runs": parsed.runs,
        "warmup": parsed.warmup,
        "link": "loopback" if parsed.link is None else parsed.link.name,
        "fuse": fuse,
    }
    flags = ["--protocol", info.name, "--mode", options.mode]
    for option in info.options:
        if option.name in options.values:
            flags += [option.flag, str(options.values[option.name])]
    flags += ["--runs", str(parsed.runs), "--warmup", str(parsed.warmup)]
    if parsed.link is not None:
        flags += ["--link", parsed.link.name]
    flags += ["--fuse", fuse] if fuse else []
    private_latency = importlib.import_module("pi_bench.models.reduction.private_latency")

    def interrupted(error: KeyboardInterrupt, done: int) -> None:
        trained = sum(not one.failure for one in candidates)
        failures.add(
            interruption_code(error),
            f"{interruption_text(error)} after measuring {done:,} of {counted(trained, 'trained network')}: "
            f"{root} keeps all of them, and the same command measures the others",
        )

    cautions: dict[str, list[str]] = {}

    def measure(model: Path, result: Path) -> None:
        _latency(model, result, flags)
        for text in _cautions(result):
            cautions.setdefault(text, []).append(model.parent.name)

    found: list[Any] = private_latency.measure_all(candidates, root, measure, wanted, progress, interrupted)
    for text, names in cautions.items():
        print(f"caution: {', '.join(names)}: {text}", file=sys.stderr)
    return found


def _cautions(result: Path) -> list[str]:
    """Returns the cautions of a result of `pi-bench latency`."""
    return [caution["text"] for caution in json.loads(result.read_text()).get("cautions", [])]


def _latency(model: Path, result: Path, flags: list[str]) -> None:
    """Runs `pi-bench latency MODEL --json RESULT`. Raises: PiBenchError: that command failed."""
    command = [sys.executable, "-m", "pi_bench", "latency", str(model), "--json", str(result), *flags]
    # Its own progress would be drawn over ours: its standard error is ours only where it fails.
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    message = lines[-1].removeprefix("error: ") if lines else f"exit status {done.returncode}"
    raise by_exit_code(done.returncode)(f"measuring {model}: {message}")
