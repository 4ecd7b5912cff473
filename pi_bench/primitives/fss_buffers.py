"""Makes the buffers of the FSS gadgets' micro cases."""

from __future__ import annotations

import os

import numpy as np

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.crypto import fss
from pi_bench.crypto.fss import FssSpec
from pi_bench.crypto.symmetric import BLOCK_BYTES, LANES
from pi_bench.primitives.buffers import filled, paged


class FssBuffers:
    """Holds buffers of all steps, for `groups` groups in slices of `size`; they hold arbitrary bytes.

    All slices use the same buffers for labels and nodes, as in an inference. Each has its own state, which
    serves once, so `renew` must come before a step that is repeated.

    >>> from pi_bench.crypto.fss import FssSpec
    >>> buffers = FssBuffers(FssSpec("relu", 12, 23, False, 4095, sign_drop=1), groups=4, size=2)
    >>> len(buffers.of("grow", slice(2, 4))), len(buffers.of("encode", slice(2, 4)))
    (3, 1)
    """

    def __init__(self, spec: FssSpec, groups: int, size: int) -> None:
        self.spec, self.size = spec, size
        words = filled(4 * groups * LANES * WORD_BYTES).view(np.uint32).reshape(4, groups, LANES)
        self.share, self.next_mask, self.z, self.result = words
        self.server_state = paged(groups * spec.server_state_group_bytes).reshape(groups, -1)
        self.client_state = paged(groups * spec.client_state_group_bytes).reshape(groups, -1)
        self.message = filled(groups * spec.online_group_bytes).reshape(groups, -1)
        self.kept = filled(groups * spec.kept_group_bytes).reshape(groups, -1)
        self.answer = filled(groups * spec.answer_group_bytes).view(np.uint32).reshape(groups, -1)
        self.server_delta, self.client_delta = b"\x01" + os.urandom(15), b"\x02" + os.urandom(15)
        self.seed = os.urandom(BLOCK_BYTES)
        self.choice_labels = self._labels(spec.choice_ots)
        self.request_labels = self._labels(spec.request_ots)
        self.scratch = paged(size * spec.scratch_group_bytes)
        self.corrections = filled(size * spec.correction_group_bytes)
        self.opening = filled(size * spec.opening_group_bytes)
        self.choices = fss.draw_choices(spec, size)
        self.server_bits = fss.draw_bits(spec.server_bits, size)
        self.client_bits = fss.draw_bits(spec.client_bits, size)

    def _labels(self, ots: int) -> np.ndarray:
        return paged(self.size * ots * LANES * BLOCK_BYTES).reshape(self.size, ots, LANES, BLOCK_BYTES)

    def _bundle(self, level: int) -> np.ndarray:
        exists = level <= self.spec.bundle_count
        return filled(self.size * self.spec.bundle_group_bytes(level) if exists else 0)

    def renew(self, step: str, groups: slice) -> None:
        """Sets the counts of the states of a slice to those that `step` needs."""
        states = self.client_state[groups] if step == "evaluate" else self.server_state[groups]
        if step == "grow":  # all slices use the same states, as in `of`
            states = self.server_state[: self.size]
        begun, bundles = 0x400, 0 if step == "grow" else self.spec.bundle_count
        opened = 0x100 if step == "evaluate" and self.spec.opening_group_bytes else 0
        words = np.array([begun + bundles + opened], np.uint32)
        states[:, -4:] = words.view(np.uint8)  # as native/fss/steps.cpp

    def of(self, step: str, groups: slice) -> list[object]:
        """Returns the arguments of each call of the step on a slice; `grow` is called once per level."""
        client, server = self.client_state[groups], self.server_state[groups]
        share, mask = self.share[groups].reshape(-1), self.next_mask[groups].reshape(-1)
        message, kept = self.message[groups], self.kept[groups]
        z, answer = self.z[groups].reshape(-1), self.answer[groups].reshape(-1)
        if step == "request":
            labels = (self.choice_labels, self.request_labels)
            outputs = (self.corrections, client, self.scratch, self._bundle(1))
            return [
                fss.RequestArguments(self.client_delta, self.seed, share, self.client_bits, *labels, *outputs)
            ]
        if step == "answer":
            drawn = (self.choices, self.server_bits, self.choice_labels, self.request_labels)
            outputs = (self.opening, server, self.scratch, self._bundle(1))
            return [fss.AnswerArguments(self.server_delta, self.seed, *drawn, self.corrections, *outputs)]
        if step == "grow":  # of a state that `answer` has just written
            server = self.server_state[: self.size]
            return [
                fss.GrowArguments(
                    "server",
                    self.server_delta,
                    self.seed,
                    level,
                    self._bundle(level),
                    server,
                    self.scratch,
                    self._bundle(level + 1),
                )
                for level in range(1, self.spec.bundle_count + 1)
            ]
        if step == "encode":
            return [fss.FssEncodeArguments(self.server_delta, self.seed, server, share, message, kept)]
        if step == "evaluate":
            return [fss.FssEvaluateArguments(self.client_delta, self.seed, client, message, mask, z, answer)]
        return [fss.FinishArguments(kept, z, answer, self.result[groups].reshape(-1))]
