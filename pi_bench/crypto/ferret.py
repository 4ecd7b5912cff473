"""Extends correlated OTs by Ferret: about a quarter of a byte per OT, and about three times the computing.

Ferret (Yang, Weng, Lan, Zhang and Wang, CCS 2020) rests on learning parity with regular noise. Its
single-point OTs are those of half-tree (Guo et al., EUROCRYPT 2023). docs/threat-model.md, section 7, has the
functionality, the parameters and the deviations. The module opens no socket. The messages of one instance,
which makes a number of OTs that both parties know from the start:

    FerretReceiver(base, plan)     -- set_up_message ------------->  FerretSender(base, plan)
      .accept(corrections)        <-------------------  .accept_set_up(set_up_message)
      .extend(choices, n)          -- n / 8 bytes ---------------->  .extend(message, n)

The first batch takes its inputs from `base`, an instance of SoftSpoken under the same delta. Each batch makes
the inputs of the next one before it serves any caller (`ferret_plan`). Groups of trees are grown when their
OTs are asked for. A sender grows its trees twice: once for the corrections, which need their sums.

Every OT serves once: inputs are used up by their batch, and a position only goes up, also when a call fails.
OTs of one instance cannot serve another, because the seeds of hash and code derive from `context`.
"""

from __future__ import annotations

import contextlib

import numpy as np

from pi_bench.crypto import secret
from pi_bench.crypto.correlated_ot import Message, OtReceiver, OtSender, check_size
from pi_bench.crypto.ferret_groups import (
    FerretGroups,
    choose_bits,
    correct_groups,
    follow_choices,
    receive_groups,
    send_groups,
)
from pi_bench.crypto.ferret_instance import FerretInstance, GrowingBatch, wiped_on_error
from pi_bench.crypto.ferret_plan import FerretPlan, choice_bytes
from pi_bench.crypto.ot_extension import LABEL_BYTES
from pi_bench.crypto.secret import SecretBytes, wipe


class FerretReceiver(FerretInstance):
    """Chooses bits and gets active labels: zero_label xor choice delta.

    Args:
        base: a SoftSpoken receiver, which this call extends once. Send `set_up_message` to the sender, and
            give its corrections to `accept`.

    >>> from pi_bench.crypto.ferret_plan import ferret_batches
    >>> from pi_bench.crypto.ot_extension import CotReceiver, CotSender, base_choice_bits, random_delta
    >>> delta = random_delta(label=True)
    >>> pairs = np.random.default_rng(1).integers(0, 256, (128, 2, 16), np.uint8)  # by base OTs in real use
    >>> base = CotReceiver(pairs)
    >>> other_base = CotSender(delta, pairs[np.arange(128), base_choice_bits(delta)], base.tree_message)
    >>> plan = FerretPlan(ferret_batches(64), b"labels of inference 7", even=False)
    >>> receiver, sender = FerretReceiver(base, plan), FerretSender(other_base, plan)
    >>> receiver.accept(sender.accept_set_up(receiver.set_up_message))
    >>> active, zero = np.empty((2, 32, 16), np.uint8)
    >>> sender.extend(receiver.extend(np.array([1, 0, 0, 0], np.uint8), 32, active), 32, zero)
    >>> bool((active[0] == zero[0] ^ delta.array).all()), bool((active[1:] == zero[1:]).all())
    (True, True)
    """

    def __init__(self, base: OtReceiver, plan: FerretPlan, *, threads: int = 1) -> None:
        super().__init__(plan)
        count = plan.batches[0].input_count if plan.batches else 0
        labels = np.empty((count, LABEL_BYTES), np.uint8)
        with contextlib.ExitStack() as on_exit:
            on_exit.enter_context(wiped_on_error(labels))
            choices = np.empty(count // 8, np.uint8)
            on_exit.callback(wipe, choices)
            secret.fill_random(choices)
            self.set_up_message = base.extend(choices, count, labels, threads=threads)
            bits = np.unpackbits(choices, bitorder="little")
            on_exit.callback(wipe, bits)
            _set_lowest_bits(labels, bits)
        self._inputs: np.ndarray | None = labels

    def accept(self, corrections: Message, *, threads: int = 1) -> None:
        """Takes the sender's corrections, once.

        Raises:
            PeerError: the message has another size than `FerretPlan.correction_bytes`.
            ValueError: the corrections were taken before.
        """
        check_size(corrections, self._plan.correction_bytes, "silent OT: the message of corrections")
        inputs, self._inputs = self._inputs, None
        if inputs is None:
            raise ValueError("these OTs have their corrections")
        received, position = np.frombuffer(corrections, np.uint8), 0
        for number, shape in enumerate(self._plan.batches):
            assert inputs is not None
            end = position + shape.message_bytes
            with wiped_on_error(inputs):
                inputs = self._inputs_of_next(self._begin(number, inputs, received[position:end]), threads)
            position = end

    def extend(
        self, choice_bits: bytes | np.ndarray, count: int, out_labels: np.ndarray, *, threads: int = 1
    ) -> bytearray:
        """Makes the message for the sender and writes the active labels into `out_labels`.

        Args:
            choice_bits: uint8 (count / 8,), little-bit-first.
            count: a multiple of 32.
            out_labels: uint8 of 16 `count` bytes.

        Raises:
            ValueError: a buffer has another size or dtype, or fewer OTs are left.
        """
        self._check(count, out_labels)
        choices = np.frombuffer(choice_bits, np.uint8)
        if choices.size != count // 8:
            raise ValueError(f"packed choice bits of {count} OTs have {count // 8} bytes, not {choices.size}")
        message = bytearray(choice_bytes(count))
        sent, flat = np.frombuffer(message, np.uint8), out_labels.reshape(-1)
        for first, labels in self._take(count, threads):
            end = first + len(labels)
            part = slice(first // 8, end // 8)
            out = flat[LABEL_BYTES * first : LABEL_BYTES * end]
            choose_bits(labels, choices[part], sent[part], out, even=self._plan.even)
        return message

    def _make(self, batch: GrowingBatch, call: FerretGroups, out: np.ndarray) -> None:
        rows = slice(call.first_group, call.first_group + call.groups)
        receive_groups(call, batch.paths[rows], batch.corrections[rows], out)

    def close(self) -> None:
        super().close()
        if self._inputs is not None:
            wipe(self._inputs)
        self._inputs = None


class FerretSender(FerretInstance):
    """Holds delta and gets the zero labels. `FerretReceiver` shows both parties.

    Args:
        base: a SoftSpoken sender with the delta of the instance.

    >>> from pi_bench.crypto.ot_extension import CotSender
    >>> with CotSender(bytes(16), np.zeros((128, 16), np.uint8), bytes(4096)) as base:
    ...     FerretSender(base, FerretPlan((), b"nothing", even=True)).accept_set_up(b"")
    bytearray(b'')

    Raises:
        ValueError: bit 0 of delta is not as the plan says.
    """

    def __init__(self, base: OtSender, plan: FerretPlan) -> None:
        super().__init__(plan)
        if int(base.delta.array[0] & 1) != (0 if plan.even else 1):
            raise ValueError(f"the lowest bit of delta is {0 if plan.even else 1} in this plan")
        self._base: OtSender | None = base
        self._delta = SecretBytes.copy_of(base.delta.array)
        self._odd_delta = SecretBytes.copy_of(base.delta.array)
        self._odd_delta.array[0] |= 1

    def accept_set_up(self, message: Message, *, threads: int = 1) -> bytearray:
        """Takes the receiver's first message, once, and makes the corrections for it.

        Raises:
            PeerError: the message has another size than `FerretPlan.set_up_bytes`.
            ValueError: the message was taken before.
        """
        check_size(message, self._plan.set_up_bytes, "silent OT: the set-up message")
        base, self._base = self._base, None
        if base is None:
            raise ValueError("these OTs have their inputs")
        inputs: np.ndarray | None = np.empty((self._plan.set_up_bytes // 4, LABEL_BYTES), np.uint8)
        assert inputs is not None
        with wiped_on_error(inputs):
            base.extend(message, len(inputs), inputs, threads=threads)
            _set_lowest_bits(inputs, 0)
        corrections, position = bytearray(self._plan.correction_bytes), 0
        sent = np.frombuffer(corrections, np.uint8)
        for number, shape in enumerate(self._plan.batches):
            assert inputs is not None
            end = position + shape.message_bytes
            with wiped_on_error(inputs):
                batch = self._begin(number, inputs, sent[position:end])
                call = self._call(batch, 0, shape.groups, threads)
                correct_groups(call, self._odd_delta.array, batch.paths, batch.corrections)
                inputs = self._inputs_of_next(batch, threads)
            position = end
        return corrections

    def extend(self, message: Message, count: int, out_zero_labels: np.ndarray, *, threads: int = 1) -> None:
        """Writes zero labels, uint8 of 16 `count` bytes, from the receiver's message.

        Raises:
            PeerError: the message does not have `choice_bytes(count)` bytes.
            ValueError: the labels have another size, the count is no multiple of 32, or fewer OTs are left.
        """
        check_size(message, choice_bytes(count), "silent OT: the message of choices")
        self._check(count, out_zero_labels)
        received, flat = np.frombuffer(message, np.uint8), out_zero_labels.reshape(-1)
        for first, labels in self._take(count, threads):
            end = first + len(labels)
            out = flat[LABEL_BYTES * first : LABEL_BYTES * end]
            follow_choices(labels, self._odd_delta.array, received[first // 8 : end // 8], out)

    @property
    def delta(self) -> SecretBytes:
        """The delta for kernels that make both labels of an OT. It is wiped with the instance."""
        return self._delta

    def _make(self, batch: GrowingBatch, call: FerretGroups, out: np.ndarray) -> None:
        rows = slice(call.first_group, call.first_group + call.groups)
        send_groups(call, self._odd_delta.array, batch.paths[rows], out)

    def close(self) -> None:
        super().close()
        self._delta.close()
        self._odd_delta.close()


def _set_lowest_bits(labels: np.ndarray, bits: np.ndarray | int) -> None:
    """Puts bits into bit 0 of labels, which turns OTs of SoftSpoken into those of the kernels."""
    labels[:, 0] &= 0xFE
    labels[:, 0] |= np.asarray(bits, np.uint8)
