"""The script of a `WorkPlan` as `delphi` runs it: which party computes and sends what, in which order.

It follows the code message by message (`offline_schedule` offline, slices online), so the bytes of a
prediction are those of a run; tests hold the two together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.costs.work import (
    NOTHING,
    CostUnits,
    decrypt_work,
    encrypt_work,
    evaluate_work,
    fixed_work,
    gadget_work,
    ot_work,
    random_work,
    respond_work,
    ring_work,
    words_work,
)
from pi_bench.crypto.ot_extension import FRESH_BYTES, TREE_MESSAGE_BYTES
from pi_bench.hybrid.multiplications import MultiplyJob
from pi_bench.hybrid.offline_schedule import (
    CrossChoices,
    CrossCorrections,
    Exchange,
    Garble,
    Product,
    Seeds,
    Select,
    Trees,
    Turn,
    client_turns,
    offline_schedule,
)
from pi_bench.hybrid.work_plan import OT_BYTES, SEED_BYTES, GadgetJob, WorkPlan
from pi_bench.network.program import (
    ActivationOp,
    Convolution,
    LinearOp,
    LinearTerm,
    OutputOp,
    Program,
    element_count,
)
from pi_bench.protocol.options import ProtocolOptions
from pi_bench.protocol.script import PhaseScript, Purpose, Role, RunScript
from pi_bench.protocol.session import Party

_OFFLINE_WORDS = {
    Purpose.RELU: "labels and garbled tables",
    Purpose.TRUNCATION: "labels and garbled tables",
    Purpose.LINEAR: "products under encryption",
}
_NONE = -1  # no operator
_BIT_WORDS = 4  # vector operations that cut a word into the bits of OTs, for each bit
_COMMAND_BYTES = 8
_READY_BYTES = 2
_CLIENT_STEP = fixed_work("client exchange")
_SERVER_STEP = fixed_work("server exchange")


def hybrid_script(program: Program, options: ProtocolOptions) -> RunScript:
    """Of a protocol with homomorphic products and garbled gadgets."""
    plan = WorkPlan(program, options)
    return RunScript(_offline(plan, options), _online(plan), _OFFLINE_WORDS)


def _offline(plan: WorkPlan, options: ProtocolOptions) -> PhaseScript:
    script = PhaseScript("offline")
    client, server = script.client, script.server
    exchanges = offline_schedule(plan)
    script.message(Party.CLIENT, _NONE, "", Purpose.OTHER, _COMMAND_BYTES, between=True)
    linear_words = sum(element_count(op.shape) for op in plan.program.linear_ops)
    client.compute(
        _NONE, "", Purpose.OTHER, random_work(sum(element_count(op.shape) for op in plan.program.source_ops))
    )
    client.compute(_NONE, "", Purpose.OTHER, words_work(linear_words))
    server.compute(_NONE, "", Purpose.OTHER, words_work(linear_words))
    for turn, exchange in client_turns(exchanges):
        (_ask if turn is Turn.ASK else _accept)(client, exchange)
    prepared = frozenset(job.number for job in plan.prepared_products(options.weight_cache_bytes))
    for exchange in exchanges:
        _answer(server, exchange, prepared)
    server.flush(_NONE, "")
    script.message(Party.SERVER, _NONE, "", Purpose.OTHER, _READY_BYTES, between=True)
    return script


def _ask(client: Role, exchange: Exchange) -> None:
    match exchange:
        case CrossCorrections(job=cross, groups=groups):
            works = words_work(len(cross.elements(groups))) + ot_work("add sender", cross.ot_count(groups))
            client.compute(cross.op_id, "ot", Purpose.MULTIPLICATION, _CLIENT_STEP + works)
            client.send(cross.op_id, "ot", Purpose.MULTIPLICATION, exchange.request_bytes)
        case Product(job=job):
            operand = words_work(math.prod(job.plan.in_shape))
            client.compute(job.op_id, "he", Purpose.LINEAR, _CLIENT_STEP + operand + encrypt_work(job.plan))
            client.send(job.op_id, "he", Purpose.LINEAR, exchange.request_bytes)
        case Trees():
            client.compute(_NONE, "ot", Purpose.OTHER, _CLIENT_STEP)
            client.send(_NONE, "ot", Purpose.OTHER, SEED_BYTES + TREE_MESSAGE_BYTES)
        case Garble(job=job, groups=groups):
            count = len(job.elements(groups))
            select = ot_work("add sender", count) if job.spec.uses_select else NOTHING
            labels = ot_work("extend receiver", job.label_ot_count(groups))
            client.compute(
                job.op_id, "ot", _purpose(job), _CLIENT_STEP + words_work(3 * count) + select + labels
            )
            client.send(job.op_id, "ot", _purpose(job), exchange.request_bytes)


def _accept(client: Role, exchange: Exchange) -> None:
    match exchange:
        case CrossChoices(job=cross, groups=groups):
            client.receive(cross.op_id, "ot", Purpose.MULTIPLICATION, exchange.answer_bytes)
            labels = ot_work("extend sender", cross.ot_count(groups))
            client.compute(cross.op_id, "ot", Purpose.MULTIPLICATION, _CLIENT_STEP + labels)
        case Product(job=job):
            client.receive(job.op_id, "he", Purpose.LINEAR, exchange.answer_bytes)
            added = words_work(math.prod(job.plan.out_shape))
            client.compute(job.op_id, "he", Purpose.LINEAR, _CLIENT_STEP + decrypt_work(job.plan) + added)
        case Seeds():
            client.receive(_NONE, "ot", Purpose.OTHER, SEED_BYTES)
            client.receive(_NONE, "ot", Purpose.OTHER, FRESH_BYTES)
            client.compute(_NONE, "ot", Purpose.OTHER, _CLIENT_STEP)
        case Select(job=job):
            client.receive(job.op_id, "ot", _purpose(job), exchange.answer_bytes)
            client.compute(
                job.op_id, "ot", _purpose(job), _CLIENT_STEP + ot_work("extend sender", job.padded_count)
            )
        case Garble(job=job, groups=groups):
            client.receive(job.op_id, "garbling", _purpose(job), exchange.answer_bytes)
            tables = gadget_work("accept", job.spec, len(job.elements(groups)))
            client.compute(job.op_id, "garbling", _purpose(job), _CLIENT_STEP + tables)


def _answer(server: Role, exchange: Exchange, prepared: frozenset[int]) -> None:
    match exchange:
        case CrossChoices(job=cross, groups=groups):
            bits = words_work(_BIT_WORDS * cross.ot_count(groups))
            works = random_work(len(cross.elements(groups))) + bits
            works += ot_work("extend receiver", cross.ot_count(groups))
            server.compute(cross.op_id, "ot", Purpose.MULTIPLICATION, _SERVER_STEP + works)
            server.send(cross.op_id, "ot", Purpose.MULTIPLICATION, exchange.answer_bytes)
        case CrossCorrections(job=cross, groups=groups):
            server.receive(cross.op_id, "ot", Purpose.MULTIPLICATION, exchange.request_bytes)
            works = words_work(len(cross.elements(groups))) + ot_work("add receiver", cross.ot_count(groups))
            server.compute(cross.op_id, "ot", Purpose.MULTIPLICATION, _SERVER_STEP + works)
        case Product(job=job):
            server.receive(job.op_id, "he", Purpose.LINEAR, exchange.request_bytes)
            words = math.prod(job.plan.out_shape)
            own = random_work(words) + words_work(words)
            response = respond_work(job.plan, prepared=job.number in prepared)
            server.compute(job.op_id, "he", Purpose.LINEAR, _SERVER_STEP + own + response)
            server.send(job.op_id, "he", Purpose.LINEAR, exchange.answer_bytes)
        case Seeds():
            server.compute(_NONE, "ot", Purpose.OTHER, _SERVER_STEP)
            server.send(_NONE, "ot", Purpose.OTHER, SEED_BYTES)
            server.send(_NONE, "ot", Purpose.OTHER, FRESH_BYTES)
        case Trees():
            server.receive(_NONE, "ot", Purpose.OTHER, SEED_BYTES + TREE_MESSAGE_BYTES)
            server.compute(_NONE, "ot", Purpose.OTHER, _SERVER_STEP)
        case Select(job=job):
            labels = ot_work("extend receiver", job.padded_count)
            server.compute(
                job.op_id, "ot", _purpose(job), _SERVER_STEP + words_work(job.padded_count) + labels
            )
            server.send(job.op_id, "ot", _purpose(job), OT_BYTES * job.padded_count)
        case Garble(job=job, groups=groups):
            count = len(job.elements(groups))
            select = ot_work("add receiver", count) if job.spec.uses_select else NOTHING
            server.receive(job.op_id, "ot", _purpose(job), exchange.request_bytes)
            labels = ot_work("extend sender", job.label_ot_count(groups))
            server.compute(job.op_id, "ot", _purpose(job), _SERVER_STEP + labels + select)
            server.compute(job.op_id, "garbling", _purpose(job), gadget_work("garble", job.spec, count))
            server.send(job.op_id, "garbling", _purpose(job), exchange.answer_bytes)


def _online(plan: WorkPlan) -> PhaseScript:
    script, program = PhaseScript("online"), plan.program
    client, server = script.client, script.server
    inputs, outputs = element_count(program.input.shape), element_count(program.output.shape)
    client.compute(
        program.input.id, "", Purpose.OTHER, words_work(8 * inputs)
    )  # quantized in float64, step by step
    script.message(Party.CLIENT, program.input.id, "", Purpose.OTHER, WORD_BYTES * inputs)
    server.compute(program.input.id, "", Purpose.OTHER, fixed_work("server end"))
    for op in program.ops[1:]:
        if isinstance(op, LinearOp):
            server.compute(
                op.id, "", Purpose.LINEAR, CostUnits.sum(_term_work(term, op) for term in op.terms)
            )
        elif isinstance(op, ActivationOp):
            _activation(script, plan.gadgets[op.id], plan.multiplications.in_round[op.id], op)
        elif isinstance(op, OutputOp):
            script.message(Party.SERVER, op.id, "", Purpose.OTHER, WORD_BYTES * outputs)
            client.compute(op.id, "", Purpose.OTHER, fixed_work("client end") + words_work(4 * outputs))
    return script


def _activation(
    script: PhaseScript, jobs: Iterable[GadgetJob], products: Iterable[MultiplyJob], op: ActivationOp
) -> None:
    client, server = script.client, script.server
    for job in jobs:
        purpose = _purpose(job)
        gathering = NOTHING if job.index is None else words_work(2 * job.count)
        client.compute(op.id, "", purpose, gathering)
        server.compute(op.id, "", purpose, gathering)
        for groups in job.online_slices:
            count = len(job.elements(groups))
            encoding = fixed_work("server slice") + gadget_work("encode", job.spec, count)
            evaluating = fixed_work("client slice") + evaluate_work(job.spec, count)
            server.compute(op.id, "", purpose, encoding)
            script.message(Party.SERVER, op.id, "", purpose, len(groups) * job.spec.online_group_bytes)
            client.compute(op.id, "", purpose, evaluating)
            client.send(op.id, "", purpose, WORD_BYTES * len(job.real_elements(groups)))
    for product in products:
        step, count = product.op.id, element_count(product.op.shape)
        server.compute(step, "", Purpose.MULTIPLICATION, words_work(2 * len(product.crosses) * count))
        script.message(Party.SERVER, step, "", Purpose.MULTIPLICATION, product.opened_bytes)
        client.compute(step, "", Purpose.MULTIPLICATION, words_work(6 * count))
        client.send(step, "", Purpose.MULTIPLICATION, product.answer_bytes)
    for job in jobs:
        for groups in job.online_slices:
            received = WORD_BYTES * len(job.real_elements(groups))
            server.receive(op.id, "", _purpose(job), received)
        server.compute(op.id, "", _purpose(job), words_work((1 if job.index is None else 3) * job.count))
    for product in products:
        step, count = product.op.id, element_count(product.op.shape)
        server.receive(step, "", Purpose.MULTIPLICATION, product.answer_bytes)
        server.compute(step, "", Purpose.MULTIPLICATION, words_work(7 * count))


def _purpose(job: GadgetJob) -> Purpose:
    return Purpose.RELU if job.spec.kind == "relu" else Purpose.TRUNCATION


def _term_work(term: LinearTerm, op: LinearOp) -> CostUnits:
    weighted = term.weighted
    channels = op.shape[0] * term.shift_bits.size * math.prod(op.shape[2:])
    if weighted is None:
        return fixed_work("linear operator") + words_work((1 + len(term.local)) * channels)
    local = words_work(len(term.local) * element_count(weighted.in_shape))
    kernel = weighted.kernel if isinstance(weighted, Convolution) else (1, 1)
    own = ring_work(weighted.in_shape, weighted.out_shape, kernel, weighted.groups)
    return fixed_work("linear operator") + local + own
