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
from pi_bench.crypto.ot_extension import (
    FRESH_BYTES,
    LABEL_BYTES,
    TREE_MESSAGE_BYTES,
    CotReceiver,
    CotSender,
    FreshCotSender,
    fresh_cot_receiver,
)
from pi_bench.crypto.randomness import padded_words
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

from .seeds import GarblerSeeds, inference_context, reverse_hash_seed
from .select import ServerSelect, client_select, server_select


def client_garbling(
    session: SessionLike,
    plan: WorkPlan,
    reverse: CotSender,
    shares: dict[int, np.ndarray],
    inference_id: int,
    threads: int,
) -> dict[str, np.ndarray]:
    """The client's material for every gadget: shares, labels, tables, select shares."""
    context = inference_context(session, inference_id)
    with session.step(-1, "ot"):
        hash_seed = bytes(session.receive(SEED_BYTES))
        label_ots = fresh_cot_receiver(reverse, session.receive(FRESH_BYTES), context)
    with label_ots:
        with session.step(-1, "ot"):
            reverse_seed = reverse_hash_seed(context)
            session.send(reverse_seed, label_ots.tree_message)
        evaluator = _Evaluator(session, label_ots, hash_seed, threads)
        corrections = {}
        for job in plan.gadget_jobs:
            share = evaluator.take_share(job, shares[plan.source_of(job)])
            if job.spec.uses_select:
                tau, beta = client_select(session, job, reverse, reverse_seed, share, threads)
                corrections[job.number], evaluator.arrays[f"select:{job.number}"] = tau, beta
        pending: deque[tuple[GadgetJob, range]] = deque()
        for job in plan.gadget_jobs:
            evaluator.allocate(job)
            for groups in job.offline_slices:
                evaluator.request(job, groups, corrections.get(job.number))
                pending.append((job, groups))
                if len(pending) > PIPELINE_DEPTH:
                    evaluator.accept(*pending.popleft())
        for job, groups in pending:
            evaluator.accept(job, groups)
    return evaluator.arrays


class _Evaluator:
    """The client: asks for labels slice by slice and keeps what comes in `arrays`."""

    def __init__(self, session: SessionLike, label_ots: CotReceiver, hash_seed: bytes, threads: int) -> None:
        self.arrays: dict[str, np.ndarray] = {"hash_seed": np.frombuffer(hash_seed, np.uint8)}
        self._session = session
        self._label_ots = label_ots
        self._hash_seed = hash_seed
        self._threads = threads

    def take_share(self, job: GadgetJob, linear_share: np.ndarray) -> np.ndarray:
        share = padded_words(job.gather(linear_share), job.padded_count)
        self.arrays[f"share:{job.number}"] = share
        return share

    def allocate(self, job: GadgetJob) -> None:
        labels_shape = (job.group_count, job.spec.label_ots, LANES, LABEL_BYTES)
        garbled_shape = (job.group_count, job.spec.garbled_group_bytes)
        self.arrays[f"labels:{job.number}"] = np.empty(labels_shape, np.uint8)
        self.arrays[f"garbled:{job.number}"] = np.empty(garbled_shape, np.uint8)

    def request(self, job: GadgetJob, groups: range, corrections: np.ndarray | None) -> None:
        """Asks for the labels of the bits of v in a slice."""
        elements = job.elements(groups)
        with self._session.step(job.op_id, "ot"):
            choices = gadget.choice_bits(job.spec, part(self.arrays[f"share:{job.number}"], elements))
            labels = part(self.arrays[f"labels:{job.number}"], groups)
            ot_count = job.label_ot_count(groups)
            message = self._label_ots.extend(choices, ot_count, labels, threads=self._threads)
            self._session.send(*([] if corrections is None else [part(corrections, elements)]), message)

    def accept(self, job: GadgetJob, groups: range) -> None:
        """Receives a slice's tables where they stay, and prepares its wrap words."""
        with self._session.step(job.op_id, "garbling"):
            garbled = part(self.arrays[f"garbled:{job.number}"], groups)
            self._session.receive_into(garbled)
            gadget.accept(
                job.spec,
                self._hash_seed,
                job.number,
                groups.start,
                part(self.arrays[f"share:{job.number}"], job.elements(groups)),
                part(self.arrays[f"labels:{job.number}"], groups),
                garbled,
                self._threads,
            )


def server_garbling(
    session: SessionLike, plan: WorkPlan, reverse: CotReceiver, inference_id: int, threads: int
) -> tuple[dict[str, np.ndarray], list[SecretBytes]]:
    """The server's material for every gadget, and the locked memory of delta and label seed."""
    context = inference_context(session, inference_id)
    with contextlib.ExitStack() as on_failure:
        seeds = GarblerSeeds.fresh(context)
        on_failure.callback(seeds.close)
        arrays = _server_material(session, plan, reverse, seeds, context, threads)
        on_failure.pop_all()  # they live as long as the material
        return arrays, [seeds.delta, seeds.label_seed]


def _server_material(
    session: SessionLike,
    plan: WorkPlan,
    reverse: CotReceiver,
    seeds: GarblerSeeds,
    context: bytes,
    threads: int,
) -> dict[str, np.ndarray]:
    with session.step(-1, "ot"):
        fresh = FreshCotSender(reverse, seeds.delta, context)
        session.send(seeds.hash_seed)
        session.send(fresh.message)
        message = session.receive(SEED_BYTES + TREE_MESSAGE_BYTES)
        label_ots = fresh.finish(message[SEED_BYTES:])
    arrays = {"delta": seeds.delta.array, "label_seed": seeds.label_seed.array}
    with label_ots:
        garbler = _Garbler(session, label_ots, seeds, bytes(message[:SEED_BYTES]), threads)
        selects = {
            job.number: server_select(session, job, reverse, threads)
            for job in plan.gadget_jobs
            if job.spec.uses_select
        }
        for job in plan.gadget_jobs:
            state = np.empty((job.group_count, job.spec.state_group_bytes), np.uint8)
            arrays[f"state:{job.number}"] = state
            for groups in job.offline_slices:
                garbler.garble(job, groups, selects.get(job.number), part(state, groups))
    return arrays


@dataclass(frozen=True, slots=True)
class _Garbler:
    """The server: answers requests slice by slice."""

    session: SessionLike
    label_ots: CotSender
    seeds: GarblerSeeds
    reverse_seed: bytes
    threads: int

    def garble(self, job: GadgetJob, groups: range, select: ServerSelect | None, state: np.ndarray) -> None:
        """Garbles and sends a slice's tables; `state` stays."""
        alpha, zero_labels = self._labels(job, groups, select)
        with self.session.step(job.op_id, "garbling"):
            garbled = np.empty((len(groups), job.spec.garbled_group_bytes), np.uint8)
            gadget.garble(
                job.spec,
                self.seeds.delta.array,
                self.seeds.hash_seed,
                self.seeds.label_seed.array,
                job.number,
                groups.start,
                zero_labels,
                None if select is None else part(select.bits, job.elements(groups)),
                alpha,
                garbled,
                state,
                self.threads,
            )
            self.session.send(garbled)

    def _labels(
        self, job: GadgetJob, groups: range, select: ServerSelect | None
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """A slice's shares alpha of pi * v'' and the zero labels of the bits of v."""
        ot_count = job.label_ot_count(groups)
        correction_bytes = 0 if select is None else WORD_BYTES * len(job.elements(groups))
        with self.session.step(job.op_id, "ot"):
            message = memoryview(self.session.receive(correction_bytes + OT_BYTES * ot_count))
            zero_labels = np.empty((ot_count, LABEL_BYTES), np.uint8)
            request = message[correction_bytes:]
            self.label_ots.extend(request, ot_count, zero_labels, threads=self.threads)
            if select is None:
                return None, zero_labels
            tau = np.frombuffer(message[:correction_bytes], np.uint32)
            return select.alpha(job, groups, self.reverse_seed, tau, self.threads), zero_labels
