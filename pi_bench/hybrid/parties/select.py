"""Shares of pi * v'' per ReLU, where pi is the server's random select bit and v'' the client's window.

    client (COT sender)                         server (COT receiver)
                <---  OT extension, choices pi
      tau = P_0 + v'' - P_1  ------------------>    alpha = P_pi + pi tau
      beta = -P_0

Source: additive correlated OT (docs/threat-model.md, sections 4 and 7), in the direction opposite to
that of the labels. pi is drawn before v is known; tau travels with the requests for labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from pi_bench.crypto import gadget
from pi_bench.crypto.additive_ot import additive_receive, additive_send
from pi_bench.crypto.correlated_ot import OtReceiver, OtSender
from pi_bench.crypto.ot_extension import LABEL_BYTES
from pi_bench.crypto.randomness import random_bits
from pi_bench.hybrid.exchanges import Select
from pi_bench.hybrid.parts import OT
from pi_bench.hybrid.work_plan import GadgetJob, rows
from pi_bench.protocol import SessionLike


@dataclass(frozen=True, slots=True)
class ClientSelect:
    """Holds the client's zero labels of a gadget's reverse OTs.

    Both shares add up to pi times the client's value:

    >>> from pi_bench.hybrid.parties.keys import client_set_up, server_set_up
    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import run_sub_protocol, small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> (job,) = plan.gadget_jobs
    >>> (groups,) = job.offline_slices
    >>> v, beta, hash_seed = np.arange(32, dtype=np.uint32), np.empty(32, np.uint32), bytes(16)
    >>> def client(session):
    ...     select = ClientSelect.accept(session, Select.of(job), client_set_up(session).reverse, threads=1)
    ...     session.send(select.share(job, groups, hash_seed, v, beta))
    >>> def server(session):
    ...     select = ServerSelect.send(session, job, server_set_up(session).reverse, threads=1)
    ...     tau = np.frombuffer(session.receive(4 * job.padded_count), np.uint32)
    ...     return select.bits, select.alpha(job, groups, hash_seed, tau, threads=1)
    >>> _, (pi, alpha) = run_sub_protocol(client, server)
    >>> np.array_equal(alpha + beta, pi * gadget.correlation(job.spec, v))
    True
    """

    reverse: OtSender
    zero_labels: np.ndarray  # (padded, 16) uint8
    threads: int

    @classmethod
    def accept(cls, session: SessionLike, exchange: Select, reverse: OtSender, threads: int) -> Self:
        """Receives the server's choices."""
        job = exchange.job
        with session.step(job.op_id, OT):
            message = session.receive(exchange.answer_bytes)
            zero_labels = np.empty((job.padded_count, LABEL_BYTES), np.uint8)
            reverse.extend(message, job.padded_count, zero_labels, threads=threads)
            return cls(reverse, zero_labels, threads)

    def share(
        self, job: GadgetJob, groups: range, reverse_seed: bytes, v: np.ndarray, beta: np.ndarray
    ) -> np.ndarray:
        """Returns the corrections tau of a slice, which are still to be sent.

        The client's share is written to `beta`, which is uint32 like `v` and has the elements of the slice.
        """
        labels = rows(self.zero_labels, job.elements(groups))
        tau, share = additive_send(
            self.reverse.delta,
            reverse_seed,
            job.number,
            groups.start,
            labels,
            gadget.correlation(job.spec, v),
            threads=self.threads,
        )
        np.copyto(beta, share)
        return tau


@dataclass(frozen=True, slots=True)
class ServerSelect:
    """Holds the server's bits pi of a gadget, and its labels of the reverse OTs.

    `ClientSelect` shows both parties.

    >>> from pi_bench.hybrid.parties.keys import client_set_up, server_set_up
    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import run_sub_protocol, small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> (job,) = plan.gadget_jobs
    >>> def server(session):
    ...     return ServerSelect.send(session, job, server_set_up(session).reverse, threads=1)
    >>> run_sub_protocol(client_set_up, server)[1].bits.size == job.padded_count
    True
    """

    bits: np.ndarray  # (padded,) uint8, 0 or 1
    labels: np.ndarray  # (padded, 16) uint8

    @classmethod
    def send(cls, session: SessionLike, job: GadgetJob, reverse: OtReceiver, threads: int) -> Self:
        """Draws the bits pi and sends them as the choices of reverse OTs."""
        with session.step(job.op_id, OT):
            labels = np.empty((job.padded_count, LABEL_BYTES), np.uint8)
            select = cls(random_bits(job.padded_count), labels)
            packed = np.packbits(select.bits, bitorder="little")
            session.send(reverse.extend(packed, job.padded_count, labels, threads=threads))
            return select

    def alpha(
        self, job: GadgetJob, groups: range, reverse_seed: bytes, tau: np.ndarray, threads: int
    ) -> np.ndarray:
        """Returns the server's share of a slice, uint32, from the client's corrections `tau`."""
        elements = job.elements(groups)
        labels, bits = rows(self.labels, elements), rows(self.bits, elements)
        return additive_receive(reverse_seed, job.number, groups.start, labels, bits, tau, threads=threads)
