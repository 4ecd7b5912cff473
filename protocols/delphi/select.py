"""Shares of pi * v'': the server's random select bit times the client's window, per ReLU.

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
from pi_bench.crypto.additive_ot import additive_receive
from pi_bench.crypto.ot_extension import LABEL_BYTES, CotReceiver, CotSender
from pi_bench.crypto.randomness import random_bits
from pi_bench.hybrid.exchanges import Select
from pi_bench.hybrid.work_plan import GadgetJob, part
from pi_bench.protocol import SessionLike


@dataclass(frozen=True, slots=True)
class ClientSelect:
    """The client's zero labels of a gadget's reverse OTs."""

    reverse: CotSender
    zero_labels: np.ndarray  # (padded, 16) uint8
    threads: int

    @classmethod
    def accept(cls, session: SessionLike, exchange: Select, reverse: CotSender, threads: int) -> Self:
        """Receives the server's choices."""
        job = exchange.job
        with session.step(job.op_id, "ot"):
            message = session.receive(exchange.answer_bytes)
            zero_labels = np.empty((job.padded_count, LABEL_BYTES), np.uint8)
            reverse.extend(message, job.padded_count, zero_labels, threads=threads)
            return cls(reverse, zero_labels, threads)

    def share(
        self, job: GadgetJob, groups: range, reverse_seed: bytes, v: np.ndarray, beta: np.ndarray
    ) -> np.ndarray:
        """tau of a slice, still to be sent; `beta`, uint32 like v, the slice's, gets the client's share."""
        labels = part(self.zero_labels, job.elements(groups))
        tau, share = self.reverse.additive_send(
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
    """The server's bits pi of a gadget and its labels of the reverse OTs."""

    bits: np.ndarray  # (padded,) uint8, 0 or 1
    labels: np.ndarray  # (padded, 16) uint8

    @classmethod
    def send(cls, session: SessionLike, job: GadgetJob, reverse: CotReceiver, threads: int) -> Self:
        """Draws pi and asks for its labels."""
        with session.step(job.op_id, "ot"):
            labels = np.empty((job.padded_count, LABEL_BYTES), np.uint8)
            select = cls(random_bits(job.padded_count), labels)
            packed = np.packbits(select.bits, bitorder="little")
            session.send(reverse.extend(packed, job.padded_count, labels, threads=threads))
            return select

    def alpha(
        self, job: GadgetJob, groups: range, reverse_seed: bytes, tau: np.ndarray, threads: int
    ) -> np.ndarray:
        """The server's share for a slice, uint32, from the client's corrections."""
        elements = job.elements(groups)
        labels, bits = part(self.labels, elements), part(self.bits, elements)
        return additive_receive(reverse_seed, job.number, groups.start, labels, bits, tau, threads=threads)
