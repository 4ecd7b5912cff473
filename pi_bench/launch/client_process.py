"""Runs the client as a process of its own. It gets an address and an input, nothing of the model."""

from __future__ import annotations

import sys
import time

from pi_bench.channel import Address
from pi_bench.launch.child import run_party
from pi_bench.launch.client import Client, OfflineReport
from pi_bench.launch.connected_client import measure_at_server
from pi_bench.launch.control import ControlPipe
from pi_bench.launch.party_records import ClientRun, SetUpRecord, fields_of
from pi_bench.launch.requests import ConnectRequest
from pi_bench.launch.timelines import Tracing
from pi_bench.protocol import ShareTrace
from pi_bench.session.handshake import ClientRequirements
from pi_bench.session.probe import MeasuredLink, probe_as_client, probe_bytes


def party(control: ControlPipe) -> None:
    """Runs a client that the launcher leads.

        launcher                          client
          connect, the input     ->
                                 <-       ready, after the set-up
          run                    ->
                                 <-       done, with times, shares and logits
          timelines              ->       only after a run with ``trace``
                                 <-       timelines, of both parties
          end                    ->

    ``run`` may come any number of times. Where an offline phase prepares several inferences, only the first
    of them runs it, and each reports its part of it. An emulated link is probed before the first.
    `measure_at_server` shows the messages for a server on another machine.

    ```python
    def main() -> None:
        sys.exit(run_party(party))
    ```
    """
    _, fields, arrays = control.receive()
    request = ConnectRequest.from_fields(fields)
    if request.other_machine:
        measure_at_server(control, request)
        return
    inputs = arrays["input"].copy()
    link = request.link
    started = time.perf_counter()
    client = Client.connect(
        Address(request.host, request.port),
        ClientRequirements(digest=request.expect_digest),
        threads=request.threads,
        timeout_s=request.timeout_s,
        poll_s=request.poll_s,
        pace=None if link is None else link.up,
    )
    with client:
        handshake_s = time.perf_counter() - started
        set_up = client.set_up()
        set_up_s = time.perf_counter() - started
        control.send(
            "ready",
            fields_of(SetUpRecord(handshake_s=handshake_s, set_up_s=set_up_s, record=set_up)),
        )
        probed: MeasuredLink | None = None
        tracing: Tracing | None = None
        offline: OfflineReport | None = None
        while (message := control.receive())[0] != "end":
            if tracing is not None:
                control.send("timelines", fields_of(tracing.end()))
                tracing = None
                continue
            if link is not None and probed is None:
                probed = probe_as_client(client.session, probe_bytes(link))
            if message[1].get("trace"):
                tracing = Tracing.begin(client)
            if offline is None or tracing is not None or not client.ready_count:
                offline = client.preprocess(ShareTrace())
            inference = client.infer(inputs)
            run = ClientRun(
                offline=offline,
                online=inference.report,
                probed_link=None if probed is None else probed.as_dict(),
            )
            arrays = {"output": inference.output, "logits": inference.logits, **inference.shares}
            control.send("done", fields_of(run), arrays)
        client.end()


if __name__ == "__main__":
    sys.exit(run_party(party))
