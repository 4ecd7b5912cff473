"""The online phase: one round per activation, linear layers without a message.

    client                                            server
      q - r  (the quantized input)  ----------------->
      per activation and slice:
                <---  active labels of u, word, bit  (encode); opened factors of its products
      z = y + server's mask - r'  (evaluate)  ------->    y - r' = z - mask
      share of each product less its mask  ---------->    product less its mask
                <---  u of the logits

Source: DELPHI, figure 4, with the one-round gadgets of docs/threat-model.md. The server holds x - r of every
tensor and computes u = W (x - r) + s + bias. The client holds v = W r - s since the offline phase. So
u + v = W x + bias.

Buffers are allocated and touched before the phase begins. One arena serves every activation. The server
writes the messages of an activation only after it has received all answers to the activation before. The
client writes its answers only after messages of the next activation have arrived, and so after the server
has the former answers.
"""

from __future__ import annotations

import numpy as np

from pi_bench.arithmetic.prefetch import Prefetch, prefetch
from pi_bench.hybrid.parties.activations import client_activation, server_activation
from pi_bench.hybrid.parties.scratch import ClientScratch, ServerScratch
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.execution.prepared_linear import PreparedLinear
from pi_bench.network.program import (
    ActivationOp,
    LinearOp,
    OutputOp,
    Program,
    Weights,
)
from pi_bench.protocol import SessionLike


def prepare_linear(program: Program, weights: Weights) -> dict[int, PreparedLinear]:
    """Returns the linear operators in the form in which the online phase computes them, by id.

    >>> from pi_bench.testing import small_network
    >>> sorted(prepare_linear(*small_network()))
    [1, 3]
    """
    return {op.id: PreparedLinear(op, weights, program.weight_bits) for op in program.linear_ops}


def client_online(
    session: SessionLike,
    plan: WorkPlan,
    arrays: dict[str, np.ndarray],
    scratch: ClientScratch,
    encoded_input: np.ndarray,
    threads: int,
) -> np.ndarray:
    """Runs the client, and returns the logits, uint32 of the output's shape.

    `arrays` is the client's material, which the call uses up.

    >>> from pi_bench.protocol import Party, ProtocolOptions
    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import TwoParties, run_sub_protocol, small_network
    >>> program, weights = small_network()
    >>> options, linear = ProtocolOptions("exact"), prepare_linear(program, weights)
    >>> plan, encoded = WorkPlan(program, options), np.zeros((1, 2), np.uint32)
    >>> with TwoParties(find_protocol("delphi"), program, weights, options) as parties:
    ...     arrays = {party: material.claim("delphi") for party, material in parties.preprocess().items()}
    ...     logits, _ = run_sub_protocol(
    ...         lambda session: client_online(
    ...             session, plan, arrays[Party.CLIENT], ClientScratch(plan), encoded, threads=1
    ...         ),
    ...         lambda session: server_online(
    ...             session, plan, arrays[Party.SERVER], linear, ServerScratch(plan, linear), threads=1
    ...         ),
    ...     )
    >>> logits
    array([[0]], dtype=uint32)

    Raises:
        PeerError: a message of the server is not valid.
        ConnectionFailedError: no message came in time, or the connection was lost.
    """
    program = plan.program
    with session.step(program.input.id):
        session.send(encoded_input - arrays[f"mask:{program.input.id}"])
    for op in program.activation_ops:
        client_activation(session, plan, op, arrays, scratch, threads)
    with session.step(program.output.id):
        share = np.frombuffer(session.receive(arrays["output_share"].nbytes), np.uint32)
        return arrays["output_share"] + share.reshape(program.output.shape)


def server_online(
    session: SessionLike,
    plan: WorkPlan,
    arrays: dict[str, np.ndarray],
    prepared: dict[int, PreparedLinear],
    scratch: ServerScratch,
    threads: int,
) -> None:
    """Runs the server, which computes the program on x - r and so sees only uniform words.

    `arrays` is the server's material, which the call uses up. `client_online` shows both parties.

    ```python
    def answer(session: SessionLike, plan: WorkPlan, arrays: dict[str, np.ndarray], weights: Weights) -> None:
        linear = prepare_linear(plan.program, weights)
        server_online(session, plan, arrays, linear, ServerScratch(plan, linear), threads=1)
    ```

    Raises:
        PeerError: a message of the client is not valid.
        ConnectionFailedError: no message came in time, or the connection was lost.
    """
    program = plan.program
    masked: dict[int, np.ndarray] = {}  # every value less the client's share of it
    ahead, used = _prefetch_linear(program, arrays, prepared)
    with session.step(program.input.id):
        masked[program.input.id] = np.empty(program.input.shape, np.uint32)
        session.receive_into(masked[program.input.id], meanwhile=ahead)
    for op in program.ops[1:]:
        with session.step(op.id):
            if isinstance(op, LinearOp):
                # u = W (x - r) + s + bias. The array has the last two already. It is used once, so no copy.
                masked[op.id] = arrays[f"constant:{op.id}"]
                prepared[op.id].add(masked, masked[op.id], scratch.workspace, threads)
                ahead.drop(used[op.id])
            elif isinstance(op, ActivationOp):
                server_activation(session, plan, op, masked, arrays, scratch, threads, ahead)
            elif isinstance(op, OutputOp):
                session.send(masked[op.source])
    if session.trace is not None:
        for linear in program.linear_ops:
            session.trace.keep_linear(linear.id, masked[linear.id])
        for source in program.source_ops:
            # Copied, since the next inference uses the same memory.
            session.trace.keep_activation(source.id, masked[source.id].copy())


def _prefetch_linear(
    program: Program, arrays: dict[str, np.ndarray], prepared: dict[int, PreparedLinear]
) -> tuple[Prefetch, dict[int, int]]:
    """Prepares to read what the linear operators need, in their order.

    Returns the steps, and the number of arrays up to each operator, by its id.
    """
    coming: list[np.ndarray] = []
    used: dict[int, int] = {}
    for op in program.linear_ops:
        coming += [*prepared[op.id].weights, arrays[f"constant:{op.id}"]]
        used[op.id] = len(coming)
    return prefetch(coming), used
