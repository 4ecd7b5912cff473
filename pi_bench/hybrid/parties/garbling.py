"""Offline garbling, slice by slice: the server's tables and the client's labels.

    client                                               server
                <---  hash seed; reverse OT extension, choices NOT delta (a fresh delta)
      reverse hash seed; tree corrections  -------------->
      per gadget with select bits:
                <---  reverse OT extension, choices pi
      per slice:
      tau (words); OT extension, choices: bits of v  ---->
                <---  garbled tables, wrap words

Sources: half gates (Zahur, Rosulek, Evans, EUROCRYPT 2015) or three halves (Rosulek, Roy, CRYPTO 2021);
SoftSpoken OT (Roy, CRYPTO 2022); the gadgets: docs/threat-model.md. The order is forced for each gadget: v
comes from the products, the labels of v come from the OTs, and the tables come from the labels. delta, both
hash seeds and the label seed are fresh for every inference, so its material is self-contained.
"""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import Self

import numpy as np

from pi_bench.crypto import gadget
from pi_bench.crypto.correlated_ot import OtReceiver, OtSender
from pi_bench.crypto.fresh_cot import FreshCotSender, fresh_cot_receiver
from pi_bench.crypto.ot_extension import LABEL_BYTES
from pi_bench.crypto.randomness import padded_words
from pi_bench.crypto.secret import SecretBytes
from pi_bench.crypto.symmetric import SEED_BYTES
from pi_bench.hybrid.exchanges import Garble, Seeds, Select, Trees
from pi_bench.hybrid.ot_plan import OtPlan
from pi_bench.hybrid.parties.keys import ClientKeys, ServerKeys
from pi_bench.hybrid.parties.material import Arena
from pi_bench.hybrid.parties.seeds import GarblerSeeds, inference_context, reverse_hash_seed, table_hash_seed
from pi_bench.hybrid.parties.select import ClientSelect, ServerSelect
from pi_bench.hybrid.parties.silent import ClientOts, ServerOts
from pi_bench.hybrid.parts import GARBLING, OT
from pi_bench.hybrid.work_plan import GadgetJob, rows
from pi_bench.protocol import SessionLike
from pi_bench.protocol.script import NO_OP


class Evaluator:
    """Runs the evaluator, who is the client: asks for labels, and keeps labels and tables in `arrays`.

    It is a context manager, which ends the label OTs. Evaluator and garbler begin with their seeds:

    >>> from pi_bench.hybrid.parties.keys import client_set_up, server_set_up
    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol import Party, ProtocolOptions
    >>> from pi_bench.testing import run_sub_protocol, small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> seeds, trees = Seeds.first(), Trees.after_seeds()
    >>> def client(session):
    ...     keys, arena = client_set_up(session), Arena(plan, Party.CLIENT)
    ...     with Evaluator(session, keys, arena, inference_id=0, threads=1) as evaluator:
    ...         evaluator.accept_seeds(seeds)
    ...         evaluator.send_trees()
    ...         return evaluator.arrays["hash_seed"].tobytes(), evaluator.reverse_seed
    >>> def server(session):
    ...     keys, arena = server_set_up(session), Arena(plan, Party.SERVER)
    ...     with Garbler(session, keys, arena, inference_id=0, threads=1) as garbler:
    ...         garbler.send_seeds()
    ...         garbler.receive_trees(trees)
    ...         return garbler.seeds.hash_seed, garbler.reverse_seed
    >>> of_client, of_server = run_sub_protocol(client, server)
    >>> of_client == of_server
    True
    """

    def __init__(
        self,
        session: SessionLike,
        keys: ClientKeys,
        arena: Arena,
        inference_id: int,
        threads: int,
        ots: OtPlan | None = None,
    ) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._session = session
        self._keys = keys
        self._arena = arena
        self._context = inference_context(session, inference_id)
        self._threads = threads
        context = keys.protocol.encode() + b"\0" + self._context
        self._ots = ClientOts(keys.reverse, ots or OtPlan(), context, threads)
        self._tree_message = b""
        self._label_set_up: bytearray | None = None
        self._reverse_corrections: list[bytearray] = []
        self._selects: dict[int, ClientSelect] = {}
        self._hash_seed = b""
        self.reverse_seed = b""  # of the reverse OTs' hashes; public

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ots.close()

    def accept_seeds(self, exchange: Seeds) -> None:
        """Receives the garbler's hash seed and begins the OTs."""
        seed, fresh, *set_up = exchange.answer
        with self._session.step(NO_OP, OT):
            self._hash_seed = bytes(self._session.receive(seed.byte_count))
            self.arrays["hash_seed"] = np.frombuffer(self._hash_seed, np.uint8)
            message = self._session.receive(fresh.byte_count)
            trees = fresh_cot_receiver(self._keys.reverse, message, self._context)
            self._tree_message = trees.tree_message
            self._label_set_up = self._ots.begin_labels(trees)
            self._reverse_corrections = [
                self._ots.accept_reverse(self._session.receive(first.byte_count)) for first in set_up
            ]

    def send_trees(self) -> None:
        """Sends the hash seed of the reverse OTs, the label OTs' tree corrections, and Ferret's messages."""
        with self._session.step(NO_OP, OT):
            self.reverse_seed = reverse_hash_seed(self._keys.protocol, self._context)
            self._session.send(self.reverse_seed, self._tree_message)
            if self._label_set_up is not None:
                self._session.send(self._label_set_up)
            for corrections in self._reverse_corrections:
                self._session.send(corrections)

    def accept_trees(self, exchange: Trees) -> None:
        """Receives Ferret's corrections of the label OTs, if there are any."""
        for message in exchange.answer:
            with self._session.step(NO_OP, OT):
                self._ots.accept_labels(self._session.receive(message.byte_count))

    @property
    def reverse(self) -> OtSender:
        """The reverse OTs, once the seeds are accepted."""
        return self._ots.reverse

    @property
    def label_ots(self) -> OtReceiver:
        """The label OTs, once the seeds are accepted, and with Ferret its corrections."""
        return self._ots.labels

    @cached_property
    def table_seed(self) -> bytes:
        """The hash seed of shared tables, once the trees are sent."""
        return table_hash_seed(self._keys.protocol, self._context, self._hash_seed, self.reverse_seed)

    def accept_select(self, exchange: Select) -> None:
        """Receives the server's choices of a gadget's select bits."""
        select = ClientSelect.accept(self._session, exchange, self.reverse, self._threads)
        self._selects[exchange.job.number] = select

    def ask(self, slice_: Garble, linear_share: np.ndarray) -> None:
        """Asks for the labels of the bits of v in a slice. `linear_share` is v of the whole value, uint32."""
        job, groups = slice_.job, slice_.groups
        if groups.start == 0:
            self._begin(job, linear_share)
        elements = job.elements(groups)
        with self._session.step(job.op_id, OT):
            share = rows(self.arrays[f"share:{job.number}"], elements)
            corrections: list[np.ndarray] = []
            if job.spec.uses_select:
                beta = rows(self.arrays[f"select:{job.number}"], elements)
                select = self._selects[job.number]
                corrections.append(select.share(job, groups, self.reverse_seed, share, beta))
            choices = gadget.choice_bits(job.spec, share)
            labels = rows(self.arrays[f"labels:{job.number}"], groups)
            ot_count = job.label_ot_count(groups)
            message = self.label_ots.extend(choices, ot_count, labels, threads=self._threads)
            self._session.send(*corrections, message)
        if slice_.last:
            self._selects.pop(job.number, None)

    def accept(self, slice_: Garble) -> None:
        """Receives the tables of a slice into their place, and prepares the slice's wrap words."""
        job, groups = slice_.job, slice_.groups
        with self._session.step(job.op_id, GARBLING):
            garbled = rows(self.arrays[f"garbled:{job.number}"], groups)
            self._session.receive_into(garbled)
            gadget.accept(
                gadget.GadgetCall(job.spec, job.number, groups.start, self._threads),
                gadget.AcceptArguments(
                    hash_seed=self._hash_seed,
                    v=rows(self.arrays[f"share:{job.number}"], job.elements(groups)),
                    active_labels=rows(self.arrays[f"labels:{job.number}"], groups),
                    garbled=garbled,
                ),
            )

    def _begin(self, job: GadgetJob, linear_share: np.ndarray) -> None:
        self.arrays |= self._arena.arrays_of(job)
        share = padded_words(job.gather(linear_share), job.padded_count)
        np.copyto(self.arrays[f"share:{job.number}"], share)


class Garbler:
    """Runs the garbler, who is the server: answers slice by slice, and keeps its states in `arrays`.

    It is a context manager. At its end delta and the label seed are wiped, unless `keep` was called. Then
    they live as long as the material. `Evaluator` shows both parties.

    >>> from pi_bench.hybrid.parties.keys import client_set_up, server_set_up
    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol import Party, ProtocolOptions
    >>> from pi_bench.testing import run_sub_protocol, small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> def server(session):
    ...     keys, arena = server_set_up(session), Arena(plan, Party.SERVER)
    ...     with Garbler(session, keys, arena, inference_id=0, threads=1) as garbler:
    ...         garbler.keep()
    ...         return garbler.secrets
    >>> _, (delta, label_seed) = run_sub_protocol(client_set_up, server)
    >>> int(delta.array[0] & 1), label_seed.array.size
    (1, 16)
    >>> delta.close()
    >>> label_seed.close()
    """

    def __init__(
        self,
        session: SessionLike,
        keys: ServerKeys,
        arena: Arena,
        inference_id: int,
        threads: int,
        ots: OtPlan | None = None,
    ) -> None:
        self._session = session
        self._keys = keys
        self._arena = arena
        self._threads = threads
        self._context = inference_context(session, inference_id)
        self._on_exit = contextlib.ExitStack()
        self.seeds = GarblerSeeds.fresh(keys.protocol, self._context)
        self._kept = self._on_exit.enter_context(contextlib.ExitStack())
        self._kept.callback(self.seeds.close)
        self.arrays = {"delta": self.seeds.delta.array, "label_seed": self.seeds.label_seed.array}
        self._fresh: FreshCotSender | None = None
        context = keys.protocol.encode() + b"\0" + self._context
        server_ots = ServerOts(keys.reverse, ots or OtPlan(), context, threads)
        self._ots = self._on_exit.enter_context(server_ots)
        self.reverse_seed = b""  # of the reverse OTs' hashes; public
        self._selects: dict[int, ServerSelect] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._on_exit.close()

    @property
    def secrets(self) -> list[SecretBytes]:
        """The locked memory of delta and the label seed."""
        return [self.seeds.delta, self.seeds.label_seed]

    def keep(self) -> None:
        """Leaves the secrets open at the end. From now on, the caller must close them."""
        self._kept.pop_all()

    def send_seeds(self) -> None:
        """Sends the hash seed, and begins the label OTs with a fresh delta."""
        with self._session.step(NO_OP, OT):
            self._fresh = FreshCotSender(self._keys.reverse, self.seeds.delta, self._context)
            self._session.send(self.seeds.hash_seed)
            self._session.send(self._fresh.message)
            set_up = self._ots.begin_reverse()
            if set_up is not None:
                self._session.send(set_up)

    def receive_trees(self, exchange: Trees) -> None:
        """Receives the hash seed of the reverse OTs, the label OTs' tree corrections, and Ferret's messages.

        Answers with Ferret's corrections of the label OTs.
        """
        assert self._fresh is not None
        with self._session.step(NO_OP, OT):
            message = self._session.receive(exchange.request[0].byte_count)
            self.reverse_seed = bytes(message[:SEED_BYTES])
            self._ots.begin_labels(self._fresh.finish(message[SEED_BYTES:]))
            answer = [
                self._ots.accept_labels(self._session.receive(size))
                for size in (exchange.ots.labels.set_up_bytes,)
                if size
            ]
            if exchange.ots.reverse.batches:
                self._ots.accept_reverse(self._session.receive(exchange.ots.reverse.correction_bytes))
            for corrections in answer:
                self._session.send(corrections)

    @property
    def reverse(self) -> OtReceiver:
        """The reverse OTs, once the seeds are sent, and with Ferret its corrections received."""
        return self._ots.reverse

    @property
    def label_ots(self) -> OtSender:
        """The label OTs, once the trees are received."""
        return self._ots.labels

    @cached_property
    def table_seed(self) -> bytes:
        """The hash seed of shared tables, once the trees are received."""
        return table_hash_seed(self._keys.protocol, self._context, self.seeds.hash_seed, self.reverse_seed)

    def send_select(self, job: GadgetJob) -> None:
        """Draws and sends the choices of a gadget's select bits."""
        self._selects[job.number] = ServerSelect.send(self._session, job, self.reverse, self._threads)

    def answer(self, slice_: Garble) -> None:
        """Garbles a slice, sends its tables and keeps its state."""
        job, groups = slice_.job, slice_.groups
        if groups.start == 0:
            self.arrays |= self._arena.arrays_of(job)
        select = self._selects.get(job.number)
        alpha, zero_labels = self._labels(slice_, select)
        with self._session.step(job.op_id, GARBLING):
            garbled = np.empty((len(groups), job.spec.garbled_group_bytes), np.uint8)
            gadget.garble(
                gadget.GadgetCall(job.spec, job.number, groups.start, self._threads),
                gadget.GarbleArguments(
                    delta=self.seeds.delta.array,
                    hash_seed=self.seeds.hash_seed,
                    label_seed=self.seeds.label_seed.array,
                    zero_labels=zero_labels,
                    select_bits=None if select is None else rows(select.bits, job.elements(groups)),
                    alpha=alpha,
                    out_garbled=garbled,
                    out_state=rows(self.arrays[f"state:{job.number}"], groups),
                ),
            )
            self._session.send(garbled)
        if slice_.last:
            self._selects.pop(job.number, None)

    def _labels(self, slice_: Garble, select: ServerSelect | None) -> tuple[np.ndarray | None, np.ndarray]:
        """Returns the shares alpha of pi * v'' of a slice, and the zero labels of the bits of v."""
        job, groups = slice_.job, slice_.groups
        ot_count = job.label_ot_count(groups)
        with self._session.step(job.op_id, OT):
            message = memoryview(self._session.receive(slice_.request_bytes))
            zero_labels = np.empty((ot_count, LABEL_BYTES), np.uint8)
            request = message[slice_.correction_bytes :]
            self.label_ots.extend(request, ot_count, zero_labels, threads=self._threads)
            if select is None:
                return None, zero_labels
            tau = np.frombuffer(message[: slice_.correction_bytes], np.uint32)
            return select.alpha(job, groups, self.reverse_seed, tau, self._threads), zero_labels
