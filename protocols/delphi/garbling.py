"""Offline garbling: the server's tables and the client's labels, for every activation element.

    client                                               server
                <---  hash seed; reverse OT extension, choices NOT delta (a fresh delta)
      reverse hash seed; tree corrections  -------------->
      per gadget with select bits:
                <---  reverse OT extension, choices pi
      per slice:
      tau (words); OT extension, choices: bits of v  ---->
                <---  garbled tables, wrap words

Sources: half gates (Zahur, Rosulek, Evans, EUROCRYPT 2015); SoftSpoken OT (Roy, CRYPTO 2022); the
gadgets: docs/threat-model.md. The order is forced: v comes from the products, the labels of v from
the OTs, the tables from the labels. delta, both hash seeds and the label seed are fresh for every
inference, so that its material is self-contained.
"""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass

import numpy as np

from pi_bench.crypto import gadget
from pi_bench.crypto.kdf import derive_key
from pi_bench.crypto.ot_extension import (
    FRESH_BYTES,
    LABEL_BYTES,
    TREE_MESSAGE_BYTES,
    CotReceiver,
    CotSender,
    FreshCotSender,
    additive_receive,
    fresh_cot_receiver,
)
from pi_bench.crypto.randomness import padded_words, random_bits
from pi_bench.crypto.secret import SecretBytes
from pi_bench.crypto.symmetric import LANES
from pi_bench.protocol import SessionLike
from pi_bench.protocol.work_plan import (
    OT_BYTES,
    PIPELINE_DEPTH,
    SEED_BYTES,
    WORD_BYTES,
    GadgetJob,
    WorkPlan,
    part,
)

MASTER_BYTES = 32


def client_garbling(
    session: SessionLike,
    plan: WorkPlan,
    reverse: CotSender,
    shares: dict[int, np.ndarray],
    inference_id: int,
    threads: int,
) -> dict[str, np.ndarray]:
    """The client's material for every gadget: shares, labels, tables, select shares."""
    with session.step(-1, "ot"):
        hash_seed = bytes(session.receive(SEED_BYTES))
        context = _fresh_context(session, inference_id)
        label_ots = fresh_cot_receiver(reverse, session.receive(FRESH_BYTES), context)
    with label_ots:
        return _client_material(session, plan, reverse, label_ots, hash_seed, shares, context, threads)


def _client_material(
    session: SessionLike,
    plan: WorkPlan,
    reverse: CotSender,
    label_ots: CotReceiver,
    hash_seed: bytes,
    shares: dict[int, np.ndarray],
    context: bytes,
    threads: int,
) -> dict[str, np.ndarray]:
    with session.step(-1, "ot"):
        with SecretBytes.random(MASTER_BYTES) as master:
            reverse_seed = derive_key(master, "delphi reverse hash seed", context, byte_count=SEED_BYTES)
        session.send(reverse_seed, label_ots.tree_message)
    arrays: dict[str, np.ndarray] = {"hash_seed": np.frombuffer(hash_seed, np.uint8)}
    sources = {op.id: op.source for op in plan.program.activation_ops}
    corrections = {}
    for job in plan.gadget_jobs:
        share = job.gather(shares[sources[job.op_id]])
        arrays[f"share:{job.number}"] = padded_words(share, job.padded_count)
        if job.spec.uses_select:
            corrections[job.number] = _client_select(session, job, reverse, reverse_seed, arrays, threads)
    pending: deque[tuple[GadgetJob, range]] = deque()
    for job in plan.gadget_jobs:
        labels_shape = (job.group_count, job.spec.label_ots, LANES, LABEL_BYTES)
        arrays[f"labels:{job.number}"] = np.empty(labels_shape, np.uint8)
        arrays[f"garbled:{job.number}"] = np.empty((job.group_count, job.spec.garbled_group_bytes), np.uint8)
        for groups in job.offline_slices:
            _client_request(session, job, groups, label_ots, corrections.get(job.number), arrays, threads)
            pending.append((job, groups))
            if len(pending) > PIPELINE_DEPTH:
                _client_accept(session, *pending.popleft(), hash_seed, arrays, threads)
    for job, groups in pending:
        _client_accept(session, job, groups, hash_seed, arrays, threads)
    return arrays


def _client_select(
    session: SessionLike,
    job: GadgetJob,
    reverse: CotSender,
    reverse_seed: bytes,
    arrays: dict[str, np.ndarray],
    threads: int,
) -> np.ndarray:
    """The client's half of alpha + beta = pi * v''. Returns the corrections tau, to be sent."""
    with session.step(job.op_id, "ot"):
        message = session.receive(OT_BYTES * job.padded_count)
        zero_labels = np.empty((job.padded_count, LABEL_BYTES), np.uint8)
        reverse.extend(message, job.padded_count, zero_labels, threads=threads)
        correlation = gadget.correlation(job.spec, arrays[f"share:{job.number}"])
        tau, beta = reverse.additive_send(
            reverse_seed, job.number, 0, zero_labels, correlation, threads=threads
        )
        arrays[f"select:{job.number}"] = beta
        return tau


def _client_request(
    session: SessionLike,
    job: GadgetJob,
    groups: range,
    label_ots: CotReceiver,
    corrections: np.ndarray | None,
    arrays: dict[str, np.ndarray],
    threads: int,
) -> None:
    """Asks for the labels of the bits of v in a slice."""
    elements = job.elements(groups)
    with session.step(job.op_id, "ot"):
        choices = gadget.choice_bits(job.spec, part(arrays[f"share:{job.number}"], elements))
        labels = part(arrays[f"labels:{job.number}"], groups)
        message = label_ots.extend(choices, job.label_ot_count(groups), labels, threads=threads)
        session.send(*([] if corrections is None else [part(corrections, elements)]), message)


def _client_accept(
    session: SessionLike,
    job: GadgetJob,
    groups: range,
    hash_seed: bytes,
    arrays: dict[str, np.ndarray],
    threads: int,
) -> None:
    """Receives a slice's tables where they stay, and prepares its wrap words."""
    with session.step(job.op_id, "garbling"):
        garbled = part(arrays[f"garbled:{job.number}"], groups)
        session.receive_into(garbled)
        gadget.accept(
            job.spec,
            hash_seed,
            job.number,
            groups.start,
            part(arrays[f"share:{job.number}"], job.elements(groups)),
            part(arrays[f"labels:{job.number}"], groups),
            garbled,
            threads,
        )


def server_garbling(
    session: SessionLike, plan: WorkPlan, reverse: CotReceiver, inference_id: int, threads: int
) -> tuple[dict[str, np.ndarray], list[SecretBytes]]:
    """The server's material for every gadget, and the locked memory of delta and label seed."""
    context = _fresh_context(session, inference_id)
    with contextlib.ExitStack() as on_failure:
        seeds = _garbler_seeds(context)
        on_failure.callback(seeds.close)
        arrays = _server_material(session, plan, reverse, seeds, context, threads)
        on_failure.pop_all()  # they live as long as the material
        return arrays, [seeds.delta, seeds.label_seed]


def _server_material(
    session: SessionLike,
    plan: WorkPlan,
    reverse: CotReceiver,
    seeds: _GarblerSeeds,
    context: bytes,
    threads: int,
) -> dict[str, np.ndarray]:
    with session.step(-1, "ot"):
        fresh = FreshCotSender(reverse, seeds.delta, context)
        session.send(seeds.hash_seed)
        session.send(fresh.message)
        message = session.receive(SEED_BYTES + TREE_MESSAGE_BYTES)
        reverse_seed = bytes(message[:SEED_BYTES])
        label_ots = fresh.finish(message[SEED_BYTES:])
    arrays = {"delta": seeds.delta.array, "label_seed": seeds.label_seed.array}
    with label_ots:
        selects = {
            job.number: _server_select(session, job, reverse, threads)
            for job in plan.gadget_jobs
            if job.spec.uses_select
        }
        for job in plan.gadget_jobs:
            state = np.empty((job.group_count, job.spec.state_group_bytes), np.uint8)
            arrays[f"state:{job.number}"] = state
            select = selects.get(job.number)
            for groups in job.offline_slices:
                _server_slice(session, job, groups, label_ots, select, reverse_seed, seeds, state, threads)
    return arrays


def _server_slice(
    session: SessionLike,
    job: GadgetJob,
    groups: range,
    label_ots: CotSender,
    select: _Select | None,
    reverse_seed: bytes,
    seeds: _GarblerSeeds,
    state: np.ndarray,
    threads: int,
) -> None:
    """Garbles and sends a slice's tables; its part of `state` stays."""
    alpha, zero_labels = _server_answer(session, job, groups, label_ots, select, reverse_seed, threads)
    with session.step(job.op_id, "garbling"):
        garbled = np.empty((len(groups), job.spec.garbled_group_bytes), np.uint8)
        gadget.garble(
            job.spec,
            seeds.delta.array,
            seeds.hash_seed,
            seeds.label_seed.array,
            job.number,
            groups.start,
            zero_labels,
            None if select is None else part(select.bits, job.elements(groups)),
            alpha,
            garbled,
            part(state, groups),
            threads,
        )
        session.send(garbled)


@dataclass(frozen=True, slots=True)
class _GarblerSeeds:
    """Fresh for one inference."""

    delta: SecretBytes  # lowest bit 1: colours
    hash_seed: bytes  # sent to the evaluator
    label_seed: SecretBytes  # gives the zero labels of u, online

    def close(self) -> None:
        self.delta.close()
        self.label_seed.close()


def _garbler_seeds(context: bytes) -> _GarblerSeeds:
    """From one random master secret, bound to session and inference: a machine that was restored from
    a snapshot and draws the same master secret again still gets other seeds in its next session."""
    with SecretBytes.random(MASTER_BYTES) as master:
        delta = SecretBytes.copy_of(derive_key(master, "delphi delta", context, byte_count=LABEL_BYTES))
        delta.array[0] |= 1
        return _GarblerSeeds(
            delta,
            derive_key(master, "delphi hash seed", context, byte_count=SEED_BYTES),
            SecretBytes.copy_of(derive_key(master, "delphi label seed", context, byte_count=SEED_BYTES)),
        )


@dataclass(frozen=True, slots=True)
class _Select:
    """The server's random bits pi of a gadget and its labels of the reverse OTs."""

    bits: np.ndarray  # (padded,) uint8
    labels: np.ndarray  # (padded, 16) uint8


def _server_select(session: SessionLike, job: GadgetJob, reverse: CotReceiver, threads: int) -> _Select:
    with session.step(job.op_id, "ot"):
        select = _Select(random_bits(job.padded_count), np.empty((job.padded_count, LABEL_BYTES), np.uint8))
        packed = np.packbits(select.bits, bitorder="little")
        session.send(reverse.extend(packed, job.padded_count, select.labels, threads=threads))
        return select


def _server_answer(
    session: SessionLike,
    job: GadgetJob,
    groups: range,
    label_ots: CotSender,
    select: _Select | None,
    reverse_seed: bytes,
    threads: int,
) -> tuple[np.ndarray | None, np.ndarray]:
    """A slice's shares alpha of pi * v'' and the zero labels of the bits of v."""
    elements = job.elements(groups)
    ot_count = job.label_ot_count(groups)
    correction_bytes = 0 if select is None else WORD_BYTES * len(elements)
    with session.step(job.op_id, "ot"):
        message = memoryview(session.receive(correction_bytes + OT_BYTES * ot_count))
        zero_labels = np.empty((ot_count, LABEL_BYTES), np.uint8)
        label_ots.extend(message[correction_bytes:], ot_count, zero_labels, threads=threads)
        if select is None:
            return None, zero_labels
        tau = np.frombuffer(message[:correction_bytes], np.uint32)
        alpha = additive_receive(
            reverse_seed,
            job.number,
            groups.start,
            part(select.labels, elements),
            part(select.bits, elements),
            tau,
            threads=threads,
        )
        return alpha, zero_labels


def _fresh_context(session: SessionLike, inference_id: int) -> bytes:
    """Binds the keys of a fresh OT instance to session and inference."""
    return session.binding + inference_id.to_bytes(4, "little")
