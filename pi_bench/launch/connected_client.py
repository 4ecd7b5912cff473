"""Runs the client of a measurement whose server is on another machine. It gets an address and an input."""

from __future__ import annotations

import time

import msgspec
import numpy as np

from pi_bench.channel import Address
from pi_bench.launch.client import Client, OfflineReport
from pi_bench.launch.control import ControlPipe
from pi_bench.launch.measurement_responder import VERIFY
from pi_bench.launch.named_server import named_server
from pi_bench.launch.party_records import ClientRun, ServerPhase, ServerRun, SetUpRecord, fields_of
from pi_bench.launch.requests import ConnectRequest
from pi_bench.launch.timelines import Tracing
from pi_bench.protocol import ShareTrace
from pi_bench.session.commands import Command, send_command
from pi_bench.session.handshake import ClientRequirements
from pi_bench.session.probe import probe_unknown_link
from pi_bench.session.server_figures import receive_description, receive_insecure_shares, receive_records

SERVER_SHARE = "server "


def measure_at_server(control: ControlPipe, request: ConnectRequest) -> None:
    """Connects to a server on another machine and runs as the launcher says.

        launcher                          client
          connect                ->
                                 <-       contact, busy: the server has not answered yet
                                 <-       contact, with the offer, the program and the server's description
          input                  ->
                                 <-       probed, with the round trip and the rates of the link
          run                    ->
                                 <-       done, with times and records of both parties, and logits
          timelines              ->       only after a run with ``trace``
                                 <-       timelines, of both parties
          end                    ->
                                 <-       ended

    ``run`` may come any number of times. Errors name the server.

    ```python
    def party(control: ControlPipe) -> None:
        _, fields, _ = control.receive()
        measure_at_server(control, ConnectRequest.from_fields(fields))
    ```
    """
    address = Address(request.host, request.port)
    with named_server(address, "pi-bench serve MODEL.pt --listen HOST:PORT --measure"):
        _measure(control, request, address)


def _measure(control: ControlPipe, request: ConnectRequest, address: Address) -> None:
    started = time.perf_counter()
    client = Client.connect(
        address,
        ClientRequirements(
            request.expect_protocol, request.expect_mode, request.expect_digest, request.max_ahead
        ),
        threads=request.threads,
        timeout_s=request.timeout_s,
        waiting=lambda: control.send("contact", {"busy": True}),
        poll_s=request.poll_s,
    )
    with client:
        handshake_s = time.perf_counter() - started
        set_up = client.set_up()
        set_up_s = time.perf_counter() - started
        send_command(client.session, Command.MEASURE, VERIFY if request.insecure_verify else 0)
        description, server_set_up = receive_description(client.session)
        offer = client.agreement.offer
        control.send(
            "contact",
            {
                "busy": False,
                "set_up": fields_of(SetUpRecord(handshake_s=handshake_s, set_up_s=set_up_s, record=set_up)),
                "server_set_up": fields_of(ServerPhase(record=server_set_up)),
                "offer": offer.as_meta(),
                "description": {
                    name: value
                    for name, value in msgspec.structs.asdict(description).items()
                    if name != "set_up"
                },
            },
            {"program": np.frombuffer(offer.program, np.uint8)},
        )
        _, _, arrays = control.receive()
        inputs = arrays["input"].copy()
        probed = probe_unknown_link(client.session)
        control.send("probed", probed.as_dict())
        tracing: Tracing | None = None
        offline: OfflineReport | None = None
        while (message := control.receive())[0] != "end":
            if tracing is not None:
                control.send("timelines", fields_of(tracing.end()))
                tracing = None
                continue
            if message[1].get("trace"):
                tracing = Tracing.begin(client)
            if offline is None or tracing is not None or not client.ready_count:
                offline = client.preprocess(ShareTrace() if request.insecure_verify else None)
            _run(control, client, inputs, offline, request.insecure_verify)
        client.end()
        control.send("ended", {})


def _run(
    control: ControlPipe, client: Client, inputs: np.ndarray, offline: OfflineReport, insecure_verify: bool
) -> None:
    inference = client.infer(inputs)
    inference_id = client.inference_id
    send_command(client.session, Command.RECORDS, inference_id)
    server_offline, server_online, server_storage_bytes = receive_records(
        client.session, client.program, inference_id
    )
    shares: dict[str, np.ndarray] = {}
    if insecure_verify:
        send_command(client.session, Command.SHARES, inference_id)
        received = receive_insecure_shares(client.session, client.program)
        shares = {**inference.shares, **{f"{SERVER_SHARE}{name}": own for name, own in received.items()}}
    server = ServerRun(
        offline=ServerPhase(record=server_offline, storage_bytes=server_storage_bytes),
        online=ServerPhase(record=server_online),
    )
    run = ClientRun(offline=offline, online=inference.report, server=server)
    control.send("done", fields_of(run), {"output": inference.output, "logits": inference.logits, **shares})
