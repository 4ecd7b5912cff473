"""Shares of cross products t r, where t is the server's random factor and r is the client's mask.

    client (COT sender)                         server (COT receiver)
                <---  reverse OT extension, choices: the bits of t
      tau (packed words)  ------------------>    alpha
      beta

Source: Gilboa, CRYPTO 1999 (`pi_bench.crypto.gilboa`; docs/threat-model.md, section 7), on the reverse OTs
that the select bits use too. This is the offline half of `multiplications.py`.
"""

from __future__ import annotations

import numpy as np

from pi_bench.crypto import gilboa
from pi_bench.crypto.correlated_ot import OtReceiver, OtSender
from pi_bench.crypto.randomness import padded_words, random_words
from pi_bench.hybrid.exchanges import CrossChoices, CrossCorrections
from pi_bench.hybrid.multiplications import CrossJob
from pi_bench.hybrid.parts import OT
from pi_bench.hybrid.work_plan import rows
from pi_bench.protocol import SessionLike

_Place = tuple[int, int]
"""The number of a cross product, and the first lane group of a slice."""


class ClientCrosses:
    """Runs the client: keeps its share beta of every cross product in `arrays`, as ``cross:NUMBER``.

    Both shares add up to t r, here mod 2^31:

    >>> from pi_bench.hybrid.parties.keys import client_set_up, server_set_up
    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import run_sub_protocol, small_network
    >>> program, weights = small_network(square=True)
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> (job,) = plan.multiplications.crosses()
    >>> (groups,) = job.offline_slices
    >>> choices, corrections = CrossChoices.of(job, groups), CrossCorrections.of(job, groups, needs=2)
    >>> mask, hash_seed = random_words((1, 4)), bytes(16)
    >>> def client(session):
    ...     crosses = ClientCrosses(session, client_set_up(session).reverse, threads=1)
    ...     crosses.accept(choices)
    ...     crosses.ask(corrections, hash_seed, mask)
    ...     return crosses.arrays["cross:0"]
    >>> def server(session):
    ...     crosses = ServerCrosses(session, server_set_up(session).reverse, threads=1)
    ...     crosses.send(choices)
    ...     crosses.receive(corrections, hash_seed)
    ...     return crosses.arrays["cross:0"], crosses.arrays["factor:0"]
    >>> beta, (alpha, t) = run_sub_protocol(client, server)
    >>> product = t[:4] * mask[0]
    >>> np.array_equal((alpha[:4] + beta[:4]) % 2**31, product % 2**31)
    True
    """

    def __init__(self, session: SessionLike, reverse: OtSender, threads: int) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._session = session
        self.reverse = reverse
        self._threads = threads
        self._zero_labels: dict[_Place, np.ndarray] = {}
        self._factor = np.empty(0, np.uint32)  # r of the cross product under way, padded

    def accept(self, slice_: CrossChoices) -> None:
        """Receives the server's choices."""
        job, groups = slice_.job, slice_.groups
        with self._session.step(job.op_id, OT):
            message = self._session.receive(slice_.answer_bytes)
            labels = gilboa.empty_labels(job.bit_count, len(groups))
            self.reverse.extend(message, job.ot_count(groups), labels, threads=self._threads)
            self._zero_labels[job.number, groups.start] = labels

    def ask(self, slice_: CrossCorrections, reverse_seed: bytes, mask: np.ndarray) -> None:
        """Sends the corrections of a slice. `mask` is r of the whole value, uint32."""
        job, groups = slice_.job, slice_.groups
        with self._session.step(job.op_id, OT):
            if groups.start == 0:
                self._factor = padded_words(mask.reshape(-1), job.padded_count)
                self.arrays[f"cross:{job.number}"] = np.empty_like(self._factor)
            elements = job.elements(groups)
            corrections, beta = gilboa.product_send(
                self.reverse,
                reverse_seed,
                job.number,
                groups.start,
                job.bit_count,
                self._zero_labels.pop((job.number, groups.start)),
                rows(self._factor, elements),
                threads=self._threads,
            )
            rows(self.arrays[f"cross:{job.number}"], elements)[:] = beta
            self._session.send(corrections)


class ServerCrosses:
    """Runs the server: draws every factor t, and keeps t and its share alpha of the cross product.

    In `arrays` they are ``factor:NUMBER`` and ``cross:NUMBER``. `ClientCrosses` shows both parties.

    >>> from pi_bench.hybrid.parties.keys import client_set_up, server_set_up
    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import run_sub_protocol, small_network
    >>> program, weights = small_network(square=True)
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> (job,) = plan.multiplications.crosses()
    >>> def server(session):
    ...     crosses = ServerCrosses(session, server_set_up(session).reverse, threads=1)
    ...     crosses.send(CrossChoices.of(job, job.offline_slices[0]))
    ...     return sorted(crosses.arrays)
    >>> run_sub_protocol(client_set_up, server)[1]
    ['cross:0', 'factor:0']
    """

    def __init__(self, session: SessionLike, reverse: OtReceiver, threads: int) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._session = session
        self.reverse = reverse
        self._threads = threads
        self._active_labels: dict[_Place, np.ndarray] = {}

    def send(self, slice_: CrossChoices) -> None:
        """Sends the choices of a slice: the bits of t."""
        job, groups = slice_.job, slice_.groups
        with self._session.step(job.op_id, OT):
            factor = rows(self._factor(job), job.elements(groups))
            labels = gilboa.empty_labels(job.bit_count, len(groups))
            choices = gilboa.choice_bits(factor, job.bit_count)
            message = self.reverse.extend(choices, job.ot_count(groups), labels, threads=self._threads)
            self._active_labels[job.number, groups.start] = labels
            self._session.send(message)

    def receive(self, slice_: CrossCorrections, reverse_seed: bytes) -> None:
        """Receives the corrections of a slice."""
        job, groups = slice_.job, slice_.groups
        with self._session.step(job.op_id, OT):
            message = self._session.receive(slice_.request_bytes)
            elements = job.elements(groups)
            rows(self.arrays[f"cross:{job.number}"], elements)[:] = gilboa.product_receive(
                reverse_seed,
                job.number,
                groups.start,
                job.bit_count,
                self._active_labels.pop((job.number, groups.start)),
                rows(self._factor(job), elements),
                np.frombuffer(message, np.uint32),
                threads=self._threads,
            )

    def _factor(self, job: CrossJob) -> np.ndarray:
        """Returns t of a cross product, padded. It is drawn at the first slice."""
        name = f"factor:{job.number}"
        if name not in self.arrays:
            self.arrays[name] = random_words((job.padded_count,))
            self.arrays[f"cross:{job.number}"] = np.empty_like(self.arrays[name])
        return self.arrays[name]
