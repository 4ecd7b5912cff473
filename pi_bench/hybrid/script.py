"""Makes the script of a `WorkPlan`: the computations and messages of both parties in their order.

It has the messages of a run one by one: those of `offline_schedule` offline, and one per slice online. So the
predicted bytes are those of a run, and tests compare the two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.costs import NOTHING, CostUnits
from pi_bench.crypto.base_ot import MESSAGE_BYTES, reply_bytes
from pi_bench.crypto.he import public_key_bytes
from pi_bench.crypto.ot_extension import COT_BITS, TREE_MESSAGE_BYTES
from pi_bench.hybrid.exchanges import gadget_purpose
from pi_bench.hybrid.fixed_steps import (
    CLIENT_END,
    CLIENT_SLICE,
    LINEAR_TERM,
    SERVER_END,
    SERVER_SLICE,
    offline_steps,
    online_steps,
)
from pi_bench.hybrid.multiplications import MultiplyJob
from pi_bench.hybrid.offline_schedule import Turn, client_turns, offline_schedule
from pi_bench.hybrid.parts import HE, OT
from pi_bench.hybrid.work_plan import GadgetJob, WorkPlan
from pi_bench.network.program import (
    ActivationOp,
    Convolution,
    LinearOp,
    LinearTerm,
    OutputOp,
    Program,
    element_count,
)
from pi_bench.primitives.fss import fss_work
from pi_bench.primitives.gadget import evaluate_work, gadget_work
from pi_bench.primitives.memory import random_work, words_work
from pi_bench.primitives.ring import ring_work
from pi_bench.protocol.options import ProtocolOptions
from pi_bench.protocol.prediction import PredictedBytes
from pi_bench.protocol.script import NO_OP, Message, PhaseScript, Purpose, Role, RunScript
from pi_bench.protocol.session import Party

_OFFLINE_WORDS = {
    Purpose.RELU: "labels and garbled tables",
    Purpose.TRUNCATION: "labels and garbled tables",
    Purpose.LINEAR: "products under encryption",
}
_TABLE_WORDS = _OFFLINE_WORDS | {Purpose.RELU: "OTs and shared tables"}
_COMMAND_BYTES = 8
_READY_BYTES = 2
_BASE_OTS = (
    Message(Party.SERVER, NO_OP, OT, MESSAGE_BYTES),
    Message(Party.CLIENT, NO_OP, OT, reply_bytes(COT_BITS)),
    Message(Party.SERVER, NO_OP, OT, TREE_MESSAGE_BYTES),
)


def hybrid_script(program: Program, options: ProtocolOptions, *, uses_tables: bool = False) -> RunScript:
    """Writes the script of a protocol with homomorphic products and gadgets.

    `uses_tables` is that of `WorkPlan`.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> script = hybrid_script(program, ProtocolOptions("exact"))
    >>> [action.kind.name for action in script.online.client.actions if action.byte_count]
    ['SEND', 'RECEIVE', 'SEND', 'RECEIVE']
    """
    plan = WorkPlan(program, options, uses_tables=uses_tables)
    part_words = _TABLE_WORDS if uses_tables else _OFFLINE_WORDS
    key = Message(Party.CLIENT, NO_OP, HE, public_key_bytes(copy_keys=plan.needs_copy_keys))
    return RunScript(
        _offline(plan, options), _online(plan), part_words, set_up=(key, *_BASE_OTS), ahead=plan.ahead
    )


def predict_hybrid(
    program: Program, options: ProtocolOptions, *, uses_tables: bool = False
) -> PredictedBytes:
    """Counts the payload bytes of `hybrid_script`.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> predict_hybrid(program, ProtocolOptions("exact")).online[Party.CLIENT]  # 2 inputs and 4 ReLUs
    24
    """
    return PredictedBytes.of(hybrid_script(program, options, uses_tables=uses_tables))


def _offline(plan: WorkPlan, options: ProtocolOptions) -> PhaseScript:
    script = PhaseScript("offline", fixed_steps=offline_steps(plan.program))
    client, server = script.client, script.server
    script.message(Party.CLIENT, NO_OP, "", Purpose.OTHER, _COMMAND_BYTES, between=True)
    linear_words = plan.ahead * sum(element_count(op.shape) for op in plan.program.linear_ops)
    mask_words = plan.ahead * sum(element_count(op.shape) for op in plan.program.source_ops)
    client.compute(NO_OP, "", Purpose.OTHER, random_work(mask_words))
    client.compute(NO_OP, "", Purpose.OTHER, words_work(linear_words))
    server.compute(NO_OP, "", Purpose.OTHER, words_work(linear_words))
    prepared = frozenset(job.number for job in plan.prepared_products(options.weight_cache_bytes))
    exchanges = offline_schedule(plan)
    work = {exchange: exchange.work(prepared) for exchange in exchanges}
    for turn, exchange in client_turns(exchanges):
        if turn is Turn.ASK:
            _send(client, work[exchange].ask, exchange.request)
        else:
            _receive(client, exchange.answer, work[exchange].accept)
    for exchange in exchanges:
        _receive(server, exchange.request, work[exchange].take)
        _send(server, work[exchange].answer, exchange.answer)
    server.flush(NO_OP, "")
    script.message(Party.SERVER, NO_OP, "", Purpose.OTHER, _READY_BYTES, between=True)
    return script


def _send(role: Role, work: CostUnits, messages: Sequence[Message]) -> None:
    """Appends work and the messages that follow it. The work is counted where the first message is."""
    if work.units:
        role.compute(messages[0].step, messages[0].part, messages[0].purpose, work)
    for message in messages:
        role.send(message.step, message.part, message.purpose, message.byte_count)


def _receive(role: Role, messages: Sequence[Message], work: CostUnits) -> None:
    """Appends messages and the work that follows them. The work is counted where the first message is."""
    for message in messages:
        role.receive(message.step, message.part, message.purpose, message.byte_count)
    if work.units:
        role.compute(messages[0].step, messages[0].part, messages[0].purpose, work)


def _online(plan: WorkPlan) -> PhaseScript:
    program = plan.program
    script = PhaseScript("online", fixed_steps=online_steps(program))
    client, server = script.client, script.server
    inputs, outputs = element_count(program.input.shape), element_count(program.output.shape)
    client.compute(
        program.input.id, "", Purpose.OTHER, words_work(8 * inputs)
    )  # quantized in float64, step by step
    script.message(Party.CLIENT, program.input.id, "", Purpose.OTHER, WORD_BYTES * inputs)
    server.compute(program.input.id, "", Purpose.OTHER, SERVER_END)
    for op in program.ops[1:]:
        if isinstance(op, LinearOp):
            server.compute(
                op.id, "", Purpose.LINEAR, CostUnits.sum(_term_work(term, op) for term in op.terms)
            )
        elif isinstance(op, ActivationOp):
            _activation(script, plan.gadgets[op.id], plan.multiplications.in_round[op.id], op)
        elif isinstance(op, OutputOp):
            script.message(Party.SERVER, op.id, "", Purpose.OTHER, WORD_BYTES * outputs)
            client.compute(op.id, "", Purpose.OTHER, CLIENT_END + words_work(4 * outputs))
    return script


def _activation(
    script: PhaseScript, jobs: Iterable[GadgetJob], products: Iterable[MultiplyJob], op: ActivationOp
) -> None:
    client, server = script.client, script.server
    for job in jobs:
        purpose = gadget_purpose(job)
        gathering = NOTHING if job.index is None else words_work(2 * job.count)
        client.compute(op.id, "", purpose, gathering)
        server.compute(op.id, "", purpose, gathering)
        for groups in job.online_slices:
            count = len(job.elements(groups))
            server.compute(op.id, "", purpose, SERVER_SLICE + _gadget_work("encode", job, count))
            script.message(Party.SERVER, op.id, "", purpose, len(groups) * job.online_group_bytes)
            client.compute(op.id, "", purpose, CLIENT_SLICE + _gadget_work("evaluate", job, count))
            client.send(op.id, "", purpose, job.online_answer_bytes(groups))
    for product in products:
        step, count = product.op.id, element_count(product.op.shape)
        server.compute(step, "", Purpose.MULTIPLICATION, words_work(2 * len(product.crosses) * count))
        script.message(Party.SERVER, step, "", Purpose.MULTIPLICATION, product.opened_bytes)
        client.compute(step, "", Purpose.MULTIPLICATION, words_work((6 * product.versions) * count))
        client.send(step, "", Purpose.MULTIPLICATION, product.answer_bytes)
    for job in jobs:
        for groups in job.online_slices:
            server.receive(op.id, "", gadget_purpose(job), job.online_answer_bytes(groups))
            work = _gadget_work("finish", job, len(job.elements(groups)))
            if work.units:
                server.compute(op.id, "", gadget_purpose(job), work)
        scattering = 0 if job.index is None else 2
        subtracting = 1 if job.table is None else 0
        if scattering + subtracting:
            work = words_work((scattering + subtracting) * job.count)
            server.compute(op.id, "", gadget_purpose(job), work)
    for product in products:
        step, count = product.op.id, element_count(product.op.shape)
        server.receive(step, "", Purpose.MULTIPLICATION, product.answer_bytes)
        server.compute(step, "", Purpose.MULTIPLICATION, words_work((7 * product.versions) * count))


def _gadget_work(step: str, job: GadgetJob, count: int) -> CostUnits:
    """Counts the step "encode", "evaluate" or "finish" of `count` elements.

    A garbled gadget finishes with a subtraction for the whole tensor, which `_activation` counts.
    """
    if job.table is not None:
        return fss_work(step, job.table, count)
    if step == "finish":
        return NOTHING
    return evaluate_work(job.spec, count) if step == "evaluate" else gadget_work(step, job.spec, count)


def _term_work(term: LinearTerm, op: LinearOp) -> CostUnits:
    weighted = term.weighted
    channels = op.shape[0] * term.shift_bits.size * math.prod(op.shape[2:])
    if weighted is None:
        return LINEAR_TERM + words_work((1 + len(term.local)) * channels)
    local = words_work(len(term.local) * element_count(weighted.in_shape))
    kernel = weighted.kernel if isinstance(weighted, Convolution) else (1, 1)
    own = ring_work(weighted.in_shape, weighted.out_shape, kernel, weighted.groups)
    return LINEAR_TERM + local + own
