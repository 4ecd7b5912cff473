"""The part of Ferret that both parties have: batches that grow group by group, and OTs that serve once."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pi_bench.crypto.closed_context import ClosedContext
from pi_bench.crypto.ferret_groups import FerretGroups
from pi_bench.crypto.ferret_plan import GROUP_TREES, FerretBatch, FerretPlan, choice_bytes
from pi_bench.crypto.kdf import domain_hash
from pi_bench.crypto.ot_extension import LABEL_BYTES
from pi_bench.crypto.secret import wipe


@contextlib.contextmanager
def wiped_on_error(labels: np.ndarray) -> Iterator[None]:
    """Wipes labels that a failed call leaves to nobody.

    >>> labels = np.ones((1, 16), np.uint8)
    >>> with contextlib.suppress(ValueError), wiped_on_error(labels):
    ...     raise ValueError
    >>> bool(labels.any())
    False
    """
    try:
        yield
    except BaseException:
        wipe(labels)
        raise


@dataclass(slots=True)
class GrowingBatch:
    """Holds a party's labels of a batch under way.

    ```python
    def left(batch: GrowingBatch) -> int:
        return batch.shape.groups - batch.next_group
    ```
    """

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
        """Wipes the inputs and the OTs that were not given out."""
        for labels in (self.inputs, *self.ready):
            wipe(labels)
        self.ready.clear()


class FerretInstance(ClosedContext):
    """Takes inputs through all batches, and gives out the OTs that are left.

    `pi_bench.crypto.ferret` has the two roles, which differ in the calls of their kernels.

    ```python
    def wipe_early(instance: FerretInstance) -> None:
        instance.close()
    ```
    """

    def __init__(self, plan: FerretPlan) -> None:
        self._plan = plan
        self._hash_seed = domain_hash("ferret hash seed", plan.context)
        self._batches: list[GrowingBatch] = []
        self._given = 0
        self._closed = False

    def _begin(self, number: int, inputs: np.ndarray, corrections: np.ndarray) -> GrowingBatch:
        shape = self._plan.batches[number]
        levels, secrets = shape.parameters.levels, shape.parameters.secrets
        seed = domain_hash("ferret code seed", self._plan.context, number.to_bytes(4, "little"))
        paths = inputs[secrets : secrets + shape.path_count]
        batch = GrowingBatch(
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

    def _inputs_of_next(self, batch: GrowingBatch, threads: int) -> np.ndarray | None:
        """Takes the inputs of the next batch from this one, if there is a next one."""
        if batch.number + 1 == len(self._plan.batches):
            return None
        count = self._plan.batches[batch.number + 1].input_count
        labels = self._grow(batch, -(-count // batch.shape.group_ots), threads)
        if labels.shape[0] > count:
            batch.ready.append(labels[count:])
        return labels[:count]

    def _grow(self, batch: GrowingBatch, groups: int, threads: int) -> np.ndarray:
        """Makes the next groups. They count as made even if the call then fails."""
        first = batch.next_group
        batch.next_group += groups
        labels = np.empty((groups * batch.shape.group_ots, LABEL_BYTES), np.uint8)
        with wiped_on_error(labels):
            self._make(batch, self._call(batch, first, groups, threads), labels)
        return labels

    @abstractmethod
    def _make(self, batch: GrowingBatch, call: FerretGroups, out: np.ndarray) -> None:
        """Makes the OTs of a call, as the role of the instance does."""

    def _call(self, batch: GrowingBatch, first: int, groups: int, threads: int) -> FerretGroups:
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
