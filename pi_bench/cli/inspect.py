"""`pi-bench inspect`: the public program of a model and what it will cost."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pi_bench.cli import options


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "inspect",
        help="print a model's public program and predicted bytes",
        description="Prints operators, shapes, scales, windows, ReLUs, truncations without ReLU, "
        "parameters and multiply-accumulates by operator and by resolution, and the predicted bytes of each "
        "phase. Runs nothing.",
    )
    options.add_model(parser)
    options.add_protocol(parser)
    options.add_compile(parser)
    options.add_batch(parser, "default 1")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Raises: PiBenchError."""
    info, settings = options.protocol_of(parsed)
    options.require_torch("inspect")

    from pi_bench.launch.model import load
    from pi_bench.report.inspection import inspect_program, render_inspection

    model = load(Path(parsed.model), options.compile_options(parsed), merge=parsed.merge)
    settings.require(model.program)
    inspection = inspect_program(model.program, model.digest, info, settings, model.merging)
    print(json.dumps(inspection, indent=2) if parsed.json else render_inspection(inspection))
    return 0
