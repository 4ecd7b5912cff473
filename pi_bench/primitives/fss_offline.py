"""A party's whole offline phase of FSS gadgets: its OTs and steps, in the order and slices of an inference.

Messages to the other party are made and dropped, and those of the other party are arbitrary bytes. The cases
of `pi_bench.primitives.fss` time the steps one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.crypto import fss
from pi_bench.crypto.fss import FssCall, FssSpec
from pi_bench.crypto.gadget_spec import group_count
from pi_bench.crypto.ot_extension import COT_BITS, LABEL_BYTES, CotReceiver, CotSender, extension_bytes
from pi_bench.crypto.symmetric import BLOCK_BYTES, LANES
from pi_bench.primitives.buffers import filled, paged
from pi_bench.primitives.ot import EXTENSION_WORK
from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork

_GADGET = 1
_SLICES_UNDER_WAY = 8
_DISTANCE = 2
"""The number of slices that begin between two steps of a slice."""


def offline_cases(name: str, spec: FssSpec, settings: CaseSettings) -> Iterator[Case]:
    """Runs the client's and the server's offline phase on `settings.count` elements of a ReLU.

    >>> from pi_bench.primitives.fss import FSS_11
    >>> client, server = offline_cases("FSS ReLU", FSS_11, CaseSettings(count=8192, threads=(1,)))
    >>> client.name, server.name, client.unit_count
    ('offline, client, FSS ReLU', 'offline, server, FSS ReLU', 8192)
    >>> client.call()
    >>> server.call()
    """
    for threads in settings.threads:
        for party in (_Client, _Server):
            phase = party(spec, settings, threads)
            count = phase.slice_count * phase.size * LANES
            title = f"offline, {party.name}, {name}"
            yield Case(title, "element", count, threads, phase.minimal_work(), phase.run)


class _Phase:
    """Holds a party's buffers. Labels, nodes and messages take turns; each slice has its own states."""

    name: str

    def __init__(self, spec: FssSpec, settings: CaseSettings, threads: int) -> None:
        groups = group_count(settings.count)
        self.spec, self.size = spec, min(groups, spec.slice_groups)
        self.slice_count = groups // self.size
        self._threads, self._isa = threads, settings.isa
        self._seed = bytes(BLOCK_BYTES)
        self._choice_ots = self.size * LANES * spec.choice_ots
        self._request_ots = self.size * LANES * spec.request_ots
        self._nodes = [paged(self.size * spec.scratch_group_bytes) for _ in range(_SLICES_UNDER_WAY)]
        self._bundles = [self._empty_bundles() for _ in range(_SLICES_UNDER_WAY)]
        self._received = self._empty_bundles()
        self._steps: list[Callable[[int], None]] = []
        pairs = filled(COT_BITS * 2 * LABEL_BYTES).reshape(COT_BITS, 2, LABEL_BYTES)
        self._receiver = CotReceiver(pairs)
        # The base keys do not fit to delta: the labels come out wrong, in the same time.
        self._sender = CotSender(self._delta, pairs[:, 0].copy(), self._receiver.tree_message)

    _delta: bytes

    def run(self) -> None:
        """Runs the phase: step i of a slice comes _DISTANCE slices after its step i - 1."""
        for tick in range(self.slice_count + _DISTANCE * (len(self._steps) - 1)):
            for number, step in enumerate(self._steps):
                slice_ = tick - _DISTANCE * number
                if 0 <= slice_ < self.slice_count:
                    step(slice_)

    def minimal_work(self) -> MinimalWork:
        """Counts the blocks of hashes and OTs, and the states that are written."""
        spec, client = self.spec, self.name == "client"
        sent, received = (
            (spec.choice_ots, spec.request_ots) if client else (spec.request_ots, spec.choice_ots)
        )
        levels = range(1, spec.bundle_count + 1)
        hashes = (2 if client else 1) * spec.choice_ots + sum(map(spec.node_hashes, levels))
        blocks = hashes + sent * EXTENSION_WORK["sender"].aes_blocks
        blocks += received * EXTENSION_WORK["receiver"].aes_blocks
        return MinimalWork(aes_blocks=blocks, memory_bytes=self._state_group_bytes / LANES)

    @property
    def _state_group_bytes(self) -> int:
        if self.name == "client":
            return self.spec.client_state_group_bytes
        return self.spec.server_state_group_bytes

    def _empty_bundles(self) -> list[np.ndarray]:
        """By level; level 0 and the one behind the last are empty."""
        levels = range(1, self.spec.bundle_count + 1)
        sizes = (0, *map(self.spec.bundle_group_bytes, levels), 0)
        return [filled(self.size * group_bytes) for group_bytes in sizes]

    def _states(self) -> np.ndarray:
        return paged(self.slice_count * self.size * self._state_group_bytes).reshape(self.slice_count, -1)

    def _call(self, slice_: int) -> FssCall:
        return FssCall(self.spec, _GADGET, slice_ * self.size, self._threads, self._isa)

    def _grow(self, states: np.ndarray, levels: range, slice_: int) -> None:
        turn = slice_ % _SLICES_UNDER_WAY
        for level in levels:
            fss.grow(
                self._call(slice_),
                fss.GrowArguments(
                    "client" if self.name == "client" else "server",
                    self._delta,
                    self._seed,
                    level,
                    self._received[level],
                    states[slice_],
                    self._nodes[turn],
                    self._bundles[turn][level + 1],
                ),
            )


class _Client(_Phase):
    name = "client"
    _delta = b"\x02" + bytes(15)

    def __init__(self, spec: FssSpec, settings: CaseSettings, threads: int) -> None:
        super().__init__(spec, settings, threads)
        self._client_states = self._states()
        self._share = filled(self.size * LANES * WORD_BYTES).view(np.uint32)
        self._bits = fss.draw_bits(spec.client_bits, self.size)
        self._corrections = filled(self.size * spec.correction_group_bytes)
        self._message = filled(extension_bytes(self._choice_ots))
        top = spec.bundle_count
        self._steps = [self._request]
        for level in range(1, top + 1, 2):
            levels = range(level, min(level + 1, top) + 1)
            self._steps.append(partial(self._grow, self._client_states, levels))

    def _request(self, slice_: int) -> None:
        choices = fss.request_choices(self.spec, self._share, self._bits)
        _, ots = self._receiver.extend_within(choices, self._request_ots)
        turn = slice_ % _SLICES_UNDER_WAY
        fss.request(
            self._call(slice_),
            fss.RequestArguments(
                self._delta,
                self._seed,
                self._share,
                self._bits,
                self._sender.postpone(self._message, self._choice_ots).take(),
                ots.take(),
                self._corrections,
                self._client_states[slice_],
                self._nodes[turn],
                self._bundles[turn][1],
            ),
        )


class _Server(_Phase):
    name = "server"
    _delta = b"\x01" + bytes(15)

    def __init__(self, spec: FssSpec, settings: CaseSettings, threads: int) -> None:
        super().__init__(spec, settings, threads)
        self._server_states = self._states()
        shape = (self.size, spec.choice_ots, LANES, LABEL_BYTES)
        self._labels = [
            paged(self._choice_ots * LABEL_BYTES).reshape(shape) for _ in range(_SLICES_UNDER_WAY)
        ]
        self._choices = fss.draw_choices(spec, self.size)
        self._bits = fss.draw_bits(spec.server_bits, self.size)
        self._corrections = filled(self.size * spec.correction_group_bytes)
        self._opening = filled(self.size * spec.opening_group_bytes)
        self._message = filled(extension_bytes(self._request_ots))
        top = spec.bundle_count
        self._steps = [self._choose, self._answer]
        for level in range(2, top + 1, 2):
            levels = range(level, min(level + 1, top) + 1)
            self._steps.append(partial(self._grow, self._server_states, levels))

    def _choose(self, slice_: int) -> None:
        labels = self._labels[slice_ % _SLICES_UNDER_WAY]
        self._receiver.extend(self._choices.view(np.uint8), self._choice_ots, labels, threads=self._threads)

    def _answer(self, slice_: int) -> None:
        turn = slice_ % _SLICES_UNDER_WAY
        fss.answer(
            self._call(slice_),
            fss.AnswerArguments(
                self._delta,
                self._seed,
                self._choices,
                self._bits,
                self._labels[turn],
                self._sender.postpone(self._message, self._request_ots).take(),
                self._corrections,
                self._opening,
                self._server_states[slice_],
                self._nodes[turn],
                self._bundles[turn][1],
            ),
        )
        if self.spec.bundle_count > 0:
            self._grow(self._server_states, range(1, 2), slice_)
