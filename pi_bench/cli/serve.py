"""`pi-bench serve`: runs the server party for clients elsewhere."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from pi_bench.cli import measuring_options, model_options, protocol_options
from pi_bench.errors import EXIT_TERMINATED, UsageError, interruption_code
from pi_bench.report.quantities import counted

IDLE_TIMEOUT_S = 300.0

_ENDINGS = {
    "lost": "lost",  # the connection failed, or the client is silent
    "refused": "refused",  # by this server
    "stopped": "ended the session",
}


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["serve", "model.pt", "--listen", "127.0.0.1:7000"]).listen
    '127.0.0.1:7000'
    """
    parser = subparsers.add_parser(
        "serve",
        description="Serves a network to one client after another, until Ctrl-C or `kill` (SIGTERM). The "
        "server sees no input. Clients cannot verify its answers: `pi-bench latency` and `pi-bench accuracy` "
        "do, where the model file is. With --measure, `pi-bench latency --connect` on another machine "
        "measures it.",
    )
    model_options.add_model(parser)
    parser.add_argument(
        "--listen",
        required=True,
        metavar="HOST:PORT",
        help="address to listen on; port 0 takes any free port",
    )
    protocol_options.add_protocol(parser)
    measuring_options.add_options(parser.add_argument_group("fixed point"), "serve", "fixed point")
    measuring_options.add_options(parser, "serve", "measuring")
    measuring = parser.add_argument_group("measuring")
    measuring.add_argument(
        "--measure",
        action="store_true",
        help="answer `pi-bench latency --connect` too: tell its client this machine's processor, memory and "
        "versions and the times of every inference, and let it probe the link",
    )
    measuring.add_argument(
        "--insecure-verify",
        action="store_true",
        help="INSECURE: give clients that ask with the same option the shares of this server, which reveal "
        "its weights",
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Serves the model to one client after another until Ctrl-C or SIGTERM. Returns the exit code of these.

    Raises:
        PiBenchError: the model, an option or the address cannot be used, or the server process failed.

    ```python
    from pi_bench.cli import main

    def serve(model_file: str) -> int:
        return main(["serve", model_file, "--listen", "127.0.0.1:7000"])
    ```
    """
    import os

    from pi_bench.channel import Address
    from pi_bench.cli.warnings import warn_of_instruction_set, warn_of_protocol
    from pi_bench.launch.placement import Placement

    if parsed.insecure_verify and not parsed.measure:
        raise UsageError("--insecure-verify serves clients that measure; give --measure too")
    address = Address.parse(parsed.listen)
    threads = parsed.threads or len(os.sched_getaffinity(0))
    info, options = protocol_options.protocol_of(parsed, threads)

    from pi_bench.crypto.symmetric import require_isa
    from pi_bench.launch.measurement_responder import MeasuringTerms
    from pi_bench.launch.model import load
    from pi_bench.launch.party_records import Listening, record_of
    from pi_bench.launch.processes import START_TIMEOUT_S, Parties
    from pi_bench.launch.requests import ServeRequest
    from pi_bench.protocol import Party
    from pi_bench.report.mode_text import mode_text

    warn_of_instruction_set(require_isa())
    warn_of_protocol(info, notes_follow=True)
    asked = measuring_options.options_of(parsed)
    model = load(Path(parsed.model), asked.compiling(), fuse=asked.fusion_costs)
    options = info.settle(model.program, options, None)
    info.require(model.program, options)
    request = ServeRequest(
        protocol=info.name,
        options=options,
        host=address.host,
        port=address.port,
        timeout_s=parsed.timeout,
        idle_timeout_s=IDLE_TIMEOUT_S,
        poll_s=0.0,  # the clients' machines and their distance are not known
        link=None,
        measuring=False,
        terms=MeasuringTerms(parsed.insecure_verify) if parsed.measure else None,
    )
    with Parties(Placement(threads, (), ()), parsed.timeout) as parties:
        parties.start(Party.SERVER)
        parties.receive(Party.SERVER, "started", START_TIMEOUT_S)
        parties.send(Party.SERVER, "serve", request.as_fields(), model.as_arrays())
        fields, _ = parties.receive(Party.SERVER, "listening")  # preparing weights may take minutes
        bound = record_of(Listening, fields)
        where = Address(bound.host, bound.port)
        words = mode_text(options.mode, options.values)
        try:
            print(f"serving {model.program.name} at {where}, protocol {info.title}, {words}", flush=True)
            print(f"digest {model.digest}", flush=True)
            for note in info.notes_of(model.program, options):
                print(note, flush=True)
            if parsed.measure:
                print("clients may measure: they get the times of this server", flush=True)
            if parsed.insecure_verify:
                print("warning: INSECURE: clients may ask for the weights of this server", file=sys.stderr)
            while True:
                kind, event, _ = parties.next_message(Party.SERVER)
                print(f"{_time_of_day()} {_words(kind, event)}", flush=True)
        except KeyboardInterrupt as interruption:
            code = interruption_code(interruption)
            print(f"{_time_of_day()} stopped by {'SIGTERM' if code == EXIT_TERMINATED else 'Ctrl-C'}")
            return code


def _time_of_day() -> str:
    """Returns the local time with its offset from UTC, as ISO 8601 writes it."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _words(kind: str, event: dict[str, Any]) -> str:
    if kind == "client":
        return f"client {event['peer']}"
    if kind in _ENDINGS:
        return f"client {event['peer']} {_ENDINGS[kind]}: {event['reason']}"
    done = counted(event["inferences"], "inference")
    return f"client {event['peer']} left after {done}, {event['time_s']:.2f} s"
