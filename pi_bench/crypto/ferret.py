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
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from pi_bench.crypto import secret
from pi_bench.crypto.correlated_ot import Message, OtReceiver, OtSender
from pi_bench.crypto.ferret_groups import (
    FerretGroups,
    choose_bits,
    correct_groups,
    follow_choices,
    receive_groups,
    send_groups,
)
from pi_bench.crypto.ferret_plan import GROUP_TREES, FerretBatch
from pi_bench.crypto.kdf import domain_hash
from pi_bench.crypto.ot_extension import LABEL_BYTES, extension_bytes
from pi_bench.crypto.secret import SecretBytes, wipe
from pi_bench.crypto.symmetric import LANES
from pi_bench.errors import PeerError


@dataclass(frozen=True, slots=True)
class FerretPlan:
    """Says which batches an instance makes, and how both parties name them.

    `context` names session, inference and direction. It is the same at both parties, and no two instances
    under one delta have the same. With `even`, bit 0 of delta is 0, and otherwise it is 1.

    >>> from pi_bench.crypto.ferret_plan import ferret_batches
    >>> plan = FerretPlan(ferret_batches(1000), b"session 5, inference 7, labels", even=False)
    >>> plan.set_up_bytes, plan.correction_bytes, plan.ot_count
    (229632, 512, 2048)
    """

    batches: tuple[FerretBatch, ...]
    context: bytes
    even: bool

    @property
    def set_up_bytes(self) -> int:
        """The size of the receiver's first message, for the inputs of the first batch."""
        return set_up_bytes(self.batches)

    @property
    def correction_bytes(self) -> int:
        """The size of the sender's message, the corrections of all batches."""
        return correction_bytes(self.batches)

    @property
    def ot_count(self) -> int:
        """The number of OTs that the instance makes for callers."""
        used = sum(batch.input_count for batch in self.batches[1:])
        return sum(batch.output_count for batch in self.batches) - used


def set_up_bytes(batches: tuple[FerretBatch, ...]) -> int:
    """Returns the size of the receiver's first message.

    >>> set_up_bytes(())
    0
    """
    return extension_bytes(batches[0].input_count) if batches else 0


def correction_bytes(batches: tuple[FerretBatch, ...]) -> int:
    """Returns the size of the sender's message.

    >>> correction_bytes(())
    0
    """
    return sum(batch.message_bytes for batch in batches)


def choice_bytes(count: int) -> int:
    """Returns the size of the message by which the receiver chooses `count` bits.

    >>> choice_bytes(2048)
    256

    Raises:
        ValueError: `count` is negative or no multiple of 32.
    """
    if count < 0 or count % LANES:
        raise ValueError(f"OTs are extended in multiples of 32, not {count}")
    return count // 8


@dataclass(slots=True)
class _Batch:
    """Holds a party's labels of a batch under way."""

    shape: FerretBatch
    number: int
    code_seed: bytes
    inputs: np.ndarray  # (input_count, 16), of which the next two are parts
    secrets: np.ndarray  # (secrets, 16)
    paths: np.ndarray  # (groups, levels, trees of a group, 16)
    corrections: np.ndarray  # (groups, levels - 1, trees of a group, 16)
    next_group: int = 0
    ready: list[np.ndarray] = field(default_factory=list)  # OTs that are made, and not given out

    def wipe(self) -> None:
        for labels in (self.inputs, *self.ready):
            wipe(labels)
        self.ready.clear()


class _Instance:
    """Takes inputs through all batches, and gives out the OTs that are left."""

    def __init__(self, plan: FerretPlan) -> None:
        self._plan = plan
        self._hash_seed = domain_hash("ferret hash seed", plan.context)
        self._batches: list[_Batch] = []
        self._given = 0
        self._closed = False

    def _begin(self, number: int, inputs: np.ndarray, corrections: np.ndarray) -> _Batch:
        shape = self._plan.batches[number]
        levels, secrets = shape.parameters.levels, shape.parameters.secrets
        seed = domain_hash("ferret code seed", self._plan.context, number.to_bytes(4, "little"))
        paths = inputs[secrets : secrets + shape.path_count]
        batch = _Batch(
            shape,
            number,
            seed,
            inputs,
            inputs[:secrets],
            paths.reshape(shape.groups, levels, GROUP_TREES, LABEL_BYTES),
            corrections.reshape(shape.groups, levels - 1, GROUP_TREES, LABEL_BYTES),
        )
        self._batches.append(batch)
        return batch

    def _inputs_of_next(self, batch: _Batch, threads: int) -> np.ndarray | None:
        """Takes the inputs of the next batch from this one, if there is a next one."""
        if batch.number + 1 == len(self._plan.batches):
            return None
        count = self._plan.batches[batch.number + 1].input_count
        labels = self._grow(batch, -(-count // batch.shape.group_ots), threads)
        if labels.shape[0] > count:
            batch.ready.append(labels[count:])
        return labels[:count]

    def _grow(self, batch: _Batch, groups: int, threads: int) -> np.ndarray:
        """Makes the next groups. They count as made even if the call then fails."""
        first = batch.next_group
        batch.next_group += groups
        labels = np.empty((groups * batch.shape.group_ots, LABEL_BYTES), np.uint8)
        with _wiped_on_error(labels):
            self._make(batch, self._call(batch, first, groups, threads), labels)
        return labels

    def _make(self, batch: _Batch, call: FerretGroups, out: np.ndarray) -> None:
        raise NotImplementedError  # each role has its own

    def _call(self, batch: _Batch, first: int, groups: int, threads: int) -> FerretGroups:
        levels = batch.shape.parameters.levels
        seeds = self._hash_seed, batch.code_seed
        return FerretGroups(seeds[0], batch.number, first, groups, levels, seeds[1], batch.secrets, threads)

    def _check(self, count: int, labels: np.ndarray) -> None:
        """Checks a call before an OT is taken, so that a caller's mistake puts no party out of step."""
        choice_bytes(count)
        if labels.dtype != np.uint8 or labels.nbytes != LABEL_BYTES * count or not labels.flags.c_contiguous:
            raise ValueError(f"labels of {count} OTs are contiguous uint8 of {LABEL_BYTES * count} bytes")
        if self._closed:
            raise ValueError("the OTs were wiped")
        if self._given + count > self._plan.ot_count or not self._batches:
            raise ValueError(f"the instance has no {count} OTs left")

    def _take(self, count: int, threads: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yields the next OTs in parts: the position in the call, and labels that are used once."""
        self._given += count
        done = 0
        while done < count:
            batch = self._batches[0]
            if batch.ready:
                part = batch.ready.pop()
            elif batch.next_group < batch.shape.groups:
                missing = -(-(count - done) // batch.shape.group_ots)
                part = self._grow(
                    batch, min(threads, missing, batch.shape.groups - batch.next_group), threads
                )
            else:
                self._batches.pop(0).wipe()
                continue
            size = min(len(part), count - done)
            if size < len(part):
                batch.ready.append(part[size:])
            try:
                yield done, part[:size]
            finally:
                wipe(part[:size])
            done += size

    def close(self) -> None:
        """Wipes the secrets; the instance cannot be used afterwards."""
        self._closed = True
        for batch in self._batches:
            batch.wipe()
        self._batches.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FerretReceiver(_Instance):
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
            on_exit.enter_context(_wiped_on_error(labels))
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
        _check_message(corrections, self._plan.correction_bytes, "message of corrections")
        inputs, self._inputs = self._inputs, None
        if inputs is None:
            raise ValueError("these OTs have their corrections")
        received, position = np.frombuffer(corrections, np.uint8), 0
        for number, shape in enumerate(self._plan.batches):
            assert inputs is not None
            end = position + shape.message_bytes
            with _wiped_on_error(inputs):
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

    def _make(self, batch: _Batch, call: FerretGroups, out: np.ndarray) -> None:
        rows = slice(call.first_group, call.first_group + call.groups)
        receive_groups(call, batch.paths[rows], batch.corrections[rows], out)

    def close(self) -> None:
        super().close()
        if self._inputs is not None:
            wipe(self._inputs)
        self._inputs = None


class FerretSender(_Instance):
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
        _check_message(message, self._plan.set_up_bytes, "set-up message")
        base, self._base = self._base, None
        if base is None:
            raise ValueError("these OTs have their inputs")
        inputs: np.ndarray | None = np.empty((self._plan.set_up_bytes // 4, LABEL_BYTES), np.uint8)
        assert inputs is not None
        with _wiped_on_error(inputs):
            base.extend(message, len(inputs), inputs, threads=threads)
            _set_lowest_bits(inputs, 0)
        corrections, position = bytearray(self._plan.correction_bytes), 0
        sent = np.frombuffer(corrections, np.uint8)
        for number, shape in enumerate(self._plan.batches):
            assert inputs is not None
            end = position + shape.message_bytes
            with _wiped_on_error(inputs):
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
        _check_message(message, choice_bytes(count), "message of choices")
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

    def _make(self, batch: _Batch, call: FerretGroups, out: np.ndarray) -> None:
        rows = slice(call.first_group, call.first_group + call.groups)
        send_groups(call, self._odd_delta.array, batch.paths[rows], out)

    def close(self) -> None:
        super().close()
        self._delta.close()
        self._odd_delta.close()


@contextlib.contextmanager
def _wiped_on_error(labels: np.ndarray) -> Iterator[None]:
    """Wipes labels that a failed call leaves to nobody."""
    try:
        yield
    except BaseException:
        wipe(labels)
        raise


def _set_lowest_bits(labels: np.ndarray, bits: np.ndarray | int) -> None:
    """Puts bits into bit 0 of labels, which turns OTs of SoftSpoken into those of the kernels."""
    labels[:, 0] &= 0xFE
    labels[:, 0] |= np.asarray(bits, np.uint8)


def _check_message(message: Message, expected: int, what: str) -> None:
    size = message.nbytes if isinstance(message, memoryview | np.ndarray) else len(message)
    if size != expected:
        raise PeerError(f"silent OT: the {what} has {size} bytes, not {expected}")
