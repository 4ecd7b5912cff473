"""Makes shared tables offline, slice by slice.

    client                                               server
                <---  reverse OT extension, choices: masks of the tables and of the products
      label OT extension, corrections, bundle 1  ------->
                <---  opening, bundles 1 and 2
      bundles 2 and 3  ---------------------------------->
                ...   until both have all bundles

`pi_bench.crypto.fss` has the sources and the steps. `pi_bench.hybrid.exchanges.table` says which step has
which messages. The choices, labels, bits and nodes of a slice serve one table of one inference: nothing here
repeats a step, and a phase that fails burns the inference. Labels, choices and bits are wiped as soon as the
states are made of them, nodes by the kernel that reads them last, and all of them at once when a phase fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pi_bench.crypto import fss
from pi_bench.crypto.correlated_ot import OtReceiver, OtSender
from pi_bench.crypto.fss import FssSpec
from pi_bench.crypto.ot_extension import LABEL_BYTES, CotReceiver, CotSender
from pi_bench.crypto.postponed_ots import Ots, PostponedOts, ReceiverOts, SenderOts
from pi_bench.crypto.randomness import padded_words
from pi_bench.crypto.secret import wipe
from pi_bench.crypto.symmetric import LANES
from pi_bench.hybrid.exchanges import TableChoices, TableStep, table_of
from pi_bench.hybrid.parties.garbling import Evaluator, Garbler
from pi_bench.hybrid.parties.material import Arena, BufferPool, Lease
from pi_bench.hybrid.parts import OT, TABLES
from pi_bench.hybrid.work_plan import GadgetJob, rows
from pi_bench.protocol import Party, SessionLike

_Place = tuple[int, int]
"""The number of a gadget, and the first lane group of a slice."""


@dataclass(slots=True)
class _Unfinished:
    """Holds the secrets of one slice at a party, and its unsent bundles.

    `labels`, `drawn` and `buffers` are there until the state is made of them, or the phase fails.
    """

    labels: np.ndarray | PostponedOts[SenderOts] | None  # of the reverse OTs
    choices: np.ndarray | None = None  # the server's; also in `drawn`
    drawn: list[np.ndarray] = field(default_factory=list)  # choices and bits
    buffers: list[np.ndarray] = field(default_factory=list)  # labels, of the pool
    nodes: np.ndarray | None = None
    bundles: dict[int, np.ndarray] = field(default_factory=dict)


class _Tables:
    """Holds the parts that both parties have."""

    party: Party

    def __init__(self, session: SessionLike, arena: Arena, buffers: BufferPool, threads: int) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._session = session
        self._arena = arena
        self._buffers = buffers
        self._threads = threads
        self._unfinished: dict[_Place, _Unfinished] = {}

    def close(self) -> None:
        """Wipes the slices that a phase left unfinished; there is none unless the phase failed."""
        for unfinished in self._unfinished.values():
            self._wipe_drawn(unfinished)
            if unfinished.nodes is not None:
                self._buffers.give_back(unfinished.nodes)
        self._unfinished.clear()

    def _wipe_drawn(self, unfinished: _Unfinished) -> None:
        unfinished.labels = unfinished.choices = None
        while unfinished.drawn:
            wipe(unfinished.drawn.pop())
        while unfinished.buffers:
            self._buffers.give_back(unfinished.buffers.pop())

    def _begin(self, job: GadgetJob, groups: range) -> None:
        if groups.start == 0:
            self.arrays |= self._arena.arrays_of(job)

    def _state(self, step: TableStep) -> np.ndarray:
        return rows(self.arrays[f"state:{step.job.number}"], step.groups)

    def _call(self, step: TableStep) -> fss.FssCall:
        return fss.FssCall(table_of(step.job), step.job.number, step.groups.start, self._threads)

    def _labels(self, unfinished: _Unfinished, groups: range, ots: int) -> np.ndarray:
        """Returns memory for labels, which is wiped with the slice."""
        buffer = self._buffers.take(len(groups) * ots * LANES * LABEL_BYTES)
        unfinished.buffers.append(buffer.reshape(len(groups), ots, LANES, LABEL_BYTES))
        return unfinished.buffers[-1]

    def _grow(
        self, step: TableStep, levels: range, message: memoryview, delta: np.ndarray, seed: bytes
    ) -> None:
        """Takes the other party's bundles of `levels`, of which `message` consists."""
        unfinished, table = self._unfinished[_place(step)], table_of(step.job)
        assert unfinished.nodes is not None
        position = 0
        for level in levels:
            end = position + len(step.groups) * table.bundle_group_bytes(level)
            bundle = _bundle(table, step.groups, level + 1)
            fss.grow(
                self._call(step),
                fss.GrowArguments(
                    party="server" if self.party is Party.SERVER else "client",
                    delta=delta,
                    hash_seed=seed,
                    level=level,
                    received=message[position:end],
                    state=self._state(step),
                    scratch=unfinished.nodes,
                    out_bundle=bundle,
                ),
            )
            unfinished.bundles[level + 1] = bundle
            position = end
        if step.last:
            self._end(step)

    def _end(self, step: TableStep) -> None:
        unfinished = self._unfinished.pop(_place(step))
        assert unfinished.nodes is not None
        self._buffers.give_back(unfinished.nodes, wiped=True)  # by the last `grow`

    def _bundles(self, step: TableStep, levels: range) -> list[np.ndarray]:
        unfinished = self._unfinished[_place(step)]
        return [unfinished.bundles.pop(level) for level in levels]


class ClientTables(_Tables):
    """Runs the client: chooses the paths of the trees, and keeps its states in `arrays`.

    Both parties grow the table of a ReLU:

    >>> from pi_bench.hybrid.exchanges import Seeds, Trees, step_count
    >>> from pi_bench.hybrid.parties.keys import client_set_up, server_set_up
    >>> from pi_bench.hybrid.parties.material import ArenaPool
    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import run_sub_protocol, small_network
    >>> plan = WorkPlan(small_network()[0], ProtocolOptions("windowed"), uses_tables=True)
    >>> (job,), groups, seeds, trees = plan.gadget_jobs, range(1), Seeds.first(), Trees.after_seeds()
    >>> choices = TableChoices.of(job, groups)
    >>> steps = [TableStep.of(job, groups, number, needs=0) for number in range(step_count(job.table))]
    >>> def client(session):
    ...     lease, keys = ArenaPool(plan, Party.CLIENT).take(), client_set_up(session, even=True)
    ...     with Evaluator(session, keys, lease.arena, inference_id=0, threads=1) as evaluator:
    ...         evaluator.accept_seeds(seeds)
    ...         evaluator.send_trees()
    ...         tables = ClientTables(session, keys.reverse, evaluator, lease, threads=1)
    ...         tables.accept_choices(choices)
    ...         for step in steps:
    ...             tables.ask(step, linear_share=np.zeros((1, 4), np.uint32))
    ...             tables.accept(step)
    ...         return tables.arrays["state:0"].nbytes
    >>> def server(session):
    ...     lease, keys = ArenaPool(plan, Party.SERVER).take(), server_set_up(session)
    ...     with Garbler(session, keys, lease.arena, inference_id=0, threads=1) as garbler:
    ...         garbler.send_seeds()
    ...         garbler.receive_trees(trees)
    ...         tables = ServerTables(session, keys.reverse, garbler, lease, threads=1)
    ...         tables.send_choices(choices)
    ...         for step in steps:
    ...             tables.answer(step)
    ...         return tables.arrays["state:0"].nbytes
    >>> of_client, of_server = run_sub_protocol(client, server)
    >>> of_client == job.table.client_state_group_bytes, of_server == job.table.server_state_group_bytes
    (True, True)
    """

    party = Party.CLIENT

    def __init__(
        self, session: SessionLike, reverse: OtSender, evaluator: Evaluator, lease: Lease, threads: int
    ) -> None:
        super().__init__(session, lease.arena, lease.buffers, threads)
        self.reverse = reverse
        self._evaluator = evaluator
        self._delta = reverse.delta.array

    def accept_choices(self, exchange: TableChoices) -> None:
        """Receives the server's choices."""
        job, groups = exchange.job, exchange.groups
        with self._session.step(job.op_id, OT):
            message = self._session.receive(exchange.answer_bytes)
            if isinstance(self.reverse, CotSender):
                postponed = self.reverse.postpone(message, exchange.ot_count)
                self._unfinished[job.number, groups.start] = _Unfinished(postponed)
                return
            unfinished = self._unfinished[job.number, groups.start] = _Unfinished(None)
            labels = unfinished.labels = self._labels(unfinished, groups, table_of(job).choice_ots)
            self.reverse.extend(message, exchange.ot_count, labels, threads=self._threads)

    def ask(self, step: TableStep, linear_share: np.ndarray) -> None:
        """Sends the request of a step. `linear_share` is v of the whole value, uint32."""
        with self._session.step(step.job.op_id, TABLES):
            first = self._request(step, linear_share) if step.number == 0 else []
            self._session.send(*first, *self._bundles(step, step.client_bundles))
        if step.last and not step.answer:
            self._end(step)

    def accept(self, step: TableStep) -> None:
        """Receives the answer of a step, if it has one."""
        if not step.answer:
            return
        table = table_of(step.job)
        with self._session.step(step.job.op_id, TABLES):
            message = memoryview(self._session.receive(step.answer_bytes))
            if step.number == 0:
                opening = message[: len(step.groups) * table.opening_group_bytes]
                fss.accept_opening(table, opening, self._state(step), self._threads)
                message = message[len(opening) :]
            self._grow(step, step.server_bundles, message, self._delta, self._evaluator.table_seed)

    def _request(self, step: TableStep, linear_share: np.ndarray) -> list[np.ndarray | bytearray]:
        """Prepares a slice and returns the first parts of its request. Bundle 1 follows them."""
        job, groups, table = step.job, step.groups, table_of(step.job)
        self._begin(job, groups)
        unfinished = self._unfinished[_place(step)]
        of_choices = unfinished.labels
        assert of_choices is not None
        share = padded_words(
            rows(job.gather(linear_share), job.real_elements(groups)), len(job.elements(groups))
        )
        unfinished.drawn.append(bits := fss.draw_bits(table.client_bits, len(groups)))
        unfinished.drawn.append(choices := fss.request_choices(table, share, bits))
        message, labels = self._request_labels(unfinished, choices, step)
        unfinished.nodes = self._buffers.take(len(groups) * table.scratch_group_bytes)
        unfinished.bundles[1] = _bundle(table, groups, 1)
        corrections = np.empty(len(groups) * table.correction_group_bytes, np.uint8)
        fss.request(
            self._call(step),
            fss.RequestArguments(
                delta=self._delta,
                hash_seed=self._evaluator.table_seed,
                v=share,
                bits=bits,
                choice_labels=_taken(of_choices),
                request_labels=_taken(labels),
                out_corrections=corrections,
                out_state=self._state(step),
                out_scratch=unfinished.nodes,
                out_bundle=unfinished.bundles[1],
            ),
        )
        self._wipe_drawn(unfinished)
        return [message, corrections]

    def _request_labels(
        self, unfinished: _Unfinished, choices: np.ndarray, step: TableStep
    ) -> tuple[bytearray, np.ndarray | PostponedOts[ReceiverOts]]:
        """Returns the message of the label OTs, and their labels or the OTs that `request` extends."""
        label_ots = self._evaluator.label_ots
        if isinstance(label_ots, CotReceiver):
            return label_ots.extend_within(choices, step.ot_count)
        labels = self._labels(unfinished, step.groups, table_of(step.job).request_ots)
        return label_ots.extend(choices, step.ot_count, labels, threads=self._threads), labels


class ServerTables(_Tables):
    """Runs the server: draws the masks of the tables, and keeps its states in `arrays`.

    `ClientTables` shows both parties.

    ```python
    from pi_bench.hybrid.parties.keys import ServerKeys

    def offline(session: SessionLike, keys: ServerKeys, garbler: Garbler, lease: Lease, slices) -> None:
        tables = ServerTables(session, keys.reverse, garbler, lease, threads=1)
        for choices, steps in slices:
            tables.send_choices(choices)
            for step in steps:
                tables.answer(step)
    ```
    """

    party = Party.SERVER

    def __init__(
        self, session: SessionLike, reverse: OtReceiver, garbler: Garbler, lease: Lease, threads: int
    ) -> None:
        super().__init__(session, lease.arena, lease.buffers, threads)
        self.reverse = reverse
        self._garbler = garbler
        self._delta = garbler.seeds.delta.array

    def send_choices(self, exchange: TableChoices) -> None:
        """Draws the masks of a slice, and sends them as choices of reverse OTs."""
        job, groups, table = exchange.job, exchange.groups, table_of(exchange.job)
        with self._session.step(job.op_id, OT):
            choices = fss.draw_choices(table, len(groups))
            unfinished = _Unfinished(None, choices, [choices])
            self._unfinished[job.number, groups.start] = unfinished
            labels = unfinished.labels = self._labels(unfinished, groups, table.choice_ots)
            message = self.reverse.extend(
                choices.view(np.uint8), exchange.ot_count, labels, threads=self._threads
            )
            self._session.send(message)

    def answer(self, step: TableStep) -> None:
        """Receives the request of a step, and sends the answer if there is one."""
        with self._session.step(step.job.op_id, TABLES):
            message = memoryview(self._session.receive(step.request_bytes))
            opening: list[np.ndarray] = []
            if step.number == 0:
                message, opening = self._answer(step, message)
            bundles = self._unfinished[_place(step)].bundles
            self._grow(step, step.client_bundles, message, self._delta, self._garbler.table_seed)
            if step.answer:
                self._session.send(*opening, *(bundles.pop(level) for level in step.server_bundles))

    def _answer(self, step: TableStep, message: memoryview) -> tuple[memoryview, list[np.ndarray]]:
        """Prepares a slice. Returns the rest of the message, and the opening."""
        job, groups, table = step.job, step.groups, table_of(step.job)
        self._begin(job, groups)
        unfinished = self._unfinished[_place(step)]
        assert isinstance(unfinished.labels, np.ndarray) and unfinished.choices is not None
        unfinished.drawn.append(bits := fss.draw_bits(table.server_bits, len(groups)))
        ot_bytes = job.extension_bytes(step.ot_count)
        end = ot_bytes + len(groups) * table.correction_group_bytes
        labels = self._request_labels(unfinished, message[:ot_bytes], step)
        unfinished.nodes = self._buffers.take(len(groups) * table.scratch_group_bytes)
        unfinished.bundles[1] = _bundle(table, groups, 1)
        opening = np.empty(len(groups) * table.opening_group_bytes, np.uint8)
        fss.answer(
            self._call(step),
            fss.AnswerArguments(
                delta=self._delta,
                hash_seed=self._garbler.table_seed,
                choices=unfinished.choices,
                bits=bits,
                choice_labels=unfinished.labels,
                request_labels=_taken(labels),
                corrections=message[ot_bytes:end],
                out_opening=opening,
                out_state=self._state(step),
                out_scratch=unfinished.nodes,
                out_bundle=unfinished.bundles[1],
            ),
        )
        self._wipe_drawn(unfinished)
        return message[end:], [opening]

    def _request_labels(
        self, unfinished: _Unfinished, message: memoryview, step: TableStep
    ) -> np.ndarray | PostponedOts[SenderOts]:
        """Returns the labels of the label OTs, or the OTs that `answer` extends."""
        label_ots = self._garbler.label_ots
        if isinstance(label_ots, CotSender):
            return label_ots.postpone(message, step.ot_count)
        labels = self._labels(unfinished, step.groups, table_of(step.job).request_ots)
        label_ots.extend(message, step.ot_count, labels, threads=self._threads)
        return labels


def _place(step: TableStep) -> _Place:
    return step.job.number, step.groups.start


def _taken(labels: np.ndarray | PostponedOts[Ots]) -> np.ndarray | Ots:
    return labels if isinstance(labels, np.ndarray) else labels.take()


def _bundle(table: FssSpec, groups: range, level: int) -> np.ndarray:
    """Returns memory for a party's bundle of a level, which is empty after the last level."""
    group_bytes = table.bundle_group_bytes(level) if level <= table.bundle_count else 0
    return np.empty(len(groups) * group_bytes, np.uint8)
