"""`pi-bench infer`: runs the client party against `pi-bench serve`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.cli import arguments, measuring_options
from pi_bench.cli.output import add_json

if TYPE_CHECKING:
    from pi_bench.launch.client import Client, Inference, OfflineReport
    from pi_bench.report.documents.answer import ServedAnswer
    from pi_bench.session import PhaseRecord

_NOT_VERIFIED = (
    "not verified: a check would need the server's shares, which would reveal its weights; "
    "`pi-bench latency` and `pi-bench accuracy` verify answers where the model file is"
)


def add_parser(subparsers: Any) -> None:
    """Adds the command to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> parser = argparse.ArgumentParser()
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args(["infer", "--connect", "127.0.0.1:7000", "--input", "x.npy"]).connect
    '127.0.0.1:7000'
    """
    parser = subparsers.add_parser(
        "infer",
        description="Connects to `pi-bench serve` and prints the network's answer to an input that the "
        "server never sees. Needs no model file and no torch. The answer is not verified: the client trusts "
        "the server to follow the protocol.",
    )
    parser.add_argument("--connect", required=True, metavar="HOST:PORT", help="address of the server")
    parser.add_argument(
        "--input",
        required=True,
        metavar="FILE.npy",
        help="input in the shape that the network takes, real numbers",
    )
    parser.add_argument("--output", metavar="FILE.npy", help="write the logits to this file, as float64")
    add_json(parser, "answer")
    requirements = parser.add_argument_group("requirements on the server (default: none)")
    requirements.add_argument("--protocol", help="fail unless the server runs this protocol")
    requirements.add_argument("--mode", help="fail unless the server runs this mode")
    measuring_options.add_options(requirements, "infer", "requirements")
    measuring_options.add_options(parser, "infer", "measuring")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Asks a server for a private answer and prints it. Returns the exit code.

    Raises:
        InputError: the input does not fit the network.
        ConnectionFailedError: the server cannot be reached, or does not answer in time.
        PeerError: the server does not meet the requirements, or breaks the protocol.

    ```python
    from pi_bench.cli import main

    def ask(address: str, input_file: str) -> int:
        return main(["infer", "--connect", address, "--input", input_file])
    ```
    """
    from pi_bench.thread_environment import thread_environment

    threads = parsed.threads or len(os.sched_getaffinity(0))
    os.environ.update(thread_environment(threads))  # read when numpy's libraries are loaded, next

    from pi_bench.channel import Address
    from pi_bench.cli.failures import Failures
    from pi_bench.cli.output import STDOUT, deliver, writable, write_array
    from pi_bench.cli.warnings import warn_of_instruction_set, warn_of_protocol
    from pi_bench.crypto.symmetric import require_isa
    from pi_bench.launch.client import Client
    from pi_bench.launch.inputs import load_input
    from pi_bench.launch.named_server import named_server
    from pi_bench.registry import require_known
    from pi_bench.session.handshake import ClientRequirements

    require_known(parsed.protocol, parsed.mode)
    address = Address.parse(parsed.connect)
    for name in ("output", "json"):
        writable(getattr(parsed, name), parsed)
    inputs = load_input(Path(parsed.input))
    warn_of_instruction_set(require_isa())
    requirements = ClientRequirements(parsed.protocol, parsed.mode, parsed.expect_digest, parsed.max_ahead)

    def waiting() -> None:
        print(
            f"waiting up to {parsed.timeout:g} s for the server: it may be busy with another client …",
            file=sys.stderr,
        )

    with (
        named_server(address, "pi-bench serve MODEL.pt --listen HOST:PORT"),
        Client.connect(
            address, requirements, threads=threads, timeout_s=parsed.timeout, waiting=waiting
        ) as client,
    ):
        warn_of_protocol(client.info, notes_follow=parsed.json != STDOUT)
        client.require_input(inputs)
        set_up = client.set_up()
        offline = client.preprocess()
        online = client.infer(inputs)
        client.end()
    answer = _answer(client, set_up, offline, online, parsed)
    failures = Failures()
    with failures.collected():
        if parsed.output is not None:
            write_array(Path(parsed.output), online.logits)
    with failures.collected():
        deliver(_words(answer, client.program.labels), parsed.json, answer)
    return failures.report()


def _answer(
    client: Client,
    set_up: PhaseRecord,
    offline: OfflineReport,
    online: Inference,
    parsed: argparse.Namespace,
) -> ServedAnswer:
    from pi_bench.report.answer import outputs_part
    from pi_bench.report.documents.answer import ServedAnswer

    offer, program, info = client.agreement.offer, client.program, client.info
    return ServedAnswer(
        schema_version=1,
        name=program.name,
        digest=offer.digest,
        protocol=info.name,
        protocol_title=info.title,
        secure=info.secure,
        mode=offer.mode,
        options=dict(offer.options),
        outputs=outputs_part(online.logits, program.labels),
        verified=False,
        verification=_NOT_VERIFIED,
        set_up_s=set_up.wall_s,
        offline_s=offline.phase_s,
        online_s=online.report.latency_s,
        notes=(*client.notes, *_unused(offline.ahead - 1)),
        arguments=arguments.as_fields(parsed),
    )


def _unused(count: int) -> list[str]:
    from pi_bench.report.quantities import counted

    if not count:
        return []
    return [f"this client leaves {counted(count, 'inference')} of the offline phase unused"]


def _words(answer: ServedAnswer, labels: Sequence[str]) -> str:
    import numpy as np

    from pi_bench.report.answer import answer_lines
    from pi_bench.report.mode_text import mode_text
    from pi_bench.report.quantities import seconds

    return "\n".join(
        [
            f"{answer.name}, protocol {answer.protocol_title}, {mode_text(answer.mode, answer.options)}, "
            f"digest {answer.digest[:16]}",
            *answer.notes,
            *answer_lines(np.atleast_2d(np.asarray(answer.outputs.logits)), labels),
            f"set-up {seconds(answer.set_up_s)}, offline {seconds(answer.offline_s)}, "
            f"online {seconds(answer.online_s)}",
            answer.verification,
        ]
    )
