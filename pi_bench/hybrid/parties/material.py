"""The memory of an inference's tables, labels and states: one mapping per party, which is used again.

Fresh memory is slow to touch for the first time. So a mapping goes back to the pool when its material is
burned, and serves a later inference. It never serves two inferences at once: while its material lives, the
next inference gets a mapping of its own. A mapping is anonymous memory, in huge pages if the system has
them. The arrays of a gadget lie side by side, in the order in which the phases read them. A mapping with
states of tables is emptied when it goes back, because these states are the masks of an inference that may
have been recorded.
"""

from __future__ import annotations

import mmap
from typing import Self

import numpy as np

from pi_bench.codec import aligned_bytes
from pi_bench.crypto.ot_extension import LABEL_BYTES
from pi_bench.crypto.secret import wipe
from pi_bench.crypto.symmetric import LANES
from pi_bench.hybrid.work_plan import GadgetJob, WorkPlan
from pi_bench.protocol import Party

_Layout = dict[str, tuple[tuple[int, ...], np.dtype]]


class Arena:
    """Holds the arrays of one inference's gadgets at one party, by name.

    The arrays are not cleared. They hold the bytes of their last use.

    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> sorted(Arena(plan, Party.CLIENT).arrays_of(plan.gadget_jobs[0]))
    ['garbled:0', 'labels:0', 'select:0', 'share:0']
    """

    def __init__(self, plan: WorkPlan, party: Party) -> None:
        layouts = {job.number: _layout(job, party) for job in plan.gadget_jobs}
        sizes = [_size(*form) for layout in layouts.values() for form in layout.values()]
        self._pages = mmap.mmap(-1, max(1, sum(sizes)), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            self._pages.madvise(mmap.MADV_HUGEPAGE)
        self._arrays: dict[int, dict[str, np.ndarray]] = {}
        position = 0
        for number, layout in layouts.items():
            self._arrays[number] = {}
            for name, (shape, dtype) in layout.items():
                count = int(np.prod(shape))
                array = np.frombuffer(self._pages, dtype, count, position).reshape(shape)
                self._arrays[number][f"{name}:{number}"] = array
                position += _size(shape, dtype)

    def arrays_of(self, job: GadgetJob) -> dict[str, np.ndarray]:
        """Returns the arrays of a gadget, whose names are ``NAME:NUMBER``."""
        return self._arrays[job.number]

    def empty(self) -> None:
        """Sets every byte of the arrays to 0, by dropping the pages, which is faster than writing to them.

        >>> from pi_bench.protocol import ProtocolOptions
        >>> from pi_bench.testing import small_network
        >>> program, weights = small_network()
        >>> plan = WorkPlan(program, ProtocolOptions("exact"))
        >>> arena = Arena(plan, Party.SERVER)
        >>> state = arena.arrays_of(plan.gadget_jobs[0])["state:0"]
        >>> state[:] = 7
        >>> arena.empty()
        >>> bool(state.any())
        False
        """
        self._pages.madvise(mmap.MADV_DONTNEED)


class BufferPool:
    """Keeps byte buffers for one offline phase after the other, since fresh memory is slow to touch.

    They hold labels and nodes of trees, so they are wiped when they come back.

    >>> pool = BufferPool()
    >>> buffer = pool.take(1000)
    >>> buffer[:] = 7
    >>> pool.give_back(buffer)
    >>> pool.take(900).base is buffer.base, bool(buffer.any())
    (True, False)
    """

    def __init__(self) -> None:
        self._free: list[np.ndarray] = []

    def take(self, byte_count: int) -> np.ndarray:
        """Returns a buffer, uint8 (byte_count,), that nothing else uses until it is given back."""
        least = max(byte_count, 1)
        fitting = [whole for whole in self._free if least <= whole.nbytes <= 2 * least]
        if not fitting:
            whole = np.empty(least, np.uint8)
        else:
            whole = min(fitting, key=lambda found: found.nbytes)
            self._free = [found for found in self._free if found is not whole]
        return whole[:byte_count]

    def give_back(self, *buffers: np.ndarray, wiped: bool = False) -> None:
        """Takes back buffers that `take` returned, or views of all their bytes.

        They are wiped, unless their last user has left zeros (`wiped`).
        """
        for buffer in buffers:
            assert isinstance(buffer.base, np.ndarray)
            if not wiped:
                wipe(buffer)
            self._free.append(buffer.base)


class ArenaPool:
    """Keeps the mappings of one party's connection that no material occupies.

    `buffers` serve the offline phase alone.

    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> pool = ArenaPool(plan, Party.SERVER)
    >>> lease = pool.take()
    >>> arena = lease.arena
    >>> lease.close()
    >>> pool.take().arena is arena
    True
    """

    def __init__(self, plan: WorkPlan, party: Party) -> None:
        self._plan, self._party = plan, party
        self._free: list[Arena] = []
        self.buffers = BufferPool()

    def take(self) -> Lease:
        """Leases a mapping, which nothing else uses until the lease is closed."""
        return Lease(self, self._free.pop() if self._free else Arena(self._plan, self._party))

    def give_back(self, arena: Arena) -> None:
        """Takes back a mapping whose material is burned, and empties it if it has states of tables."""
        if self._plan.table_jobs:
            arena.empty()
        self._free.append(arena)


class Lease:
    """Holds a mapping as long as its material lives.

    A lease is one of the `secrets` of a `Preprocessing`, whose `burn` closes it. As a context manager it
    closes itself only after an error.

    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> program, weights = small_network()
    >>> plan = WorkPlan(program, ProtocolOptions("exact"))
    >>> with ArenaPool(plan, Party.SERVER).take() as lease:
    ...     arrays = lease.arena.arrays_of(plan.gadget_jobs[0])
    >>> list(arrays)
    ['state:0']
    >>> lease.close()
    """

    def __init__(self, pool: ArenaPool, arena: Arena) -> None:
        self._pool = pool
        self._arena: Arena | None = arena

    @property
    def buffers(self) -> BufferPool:
        """The buffers of the offline phase."""
        return self._pool.buffers

    @property
    def arena(self) -> Arena:
        """The mapping, which must not be used after `close`."""
        assert self._arena is not None, "the material of this lease is burned"
        return self._arena

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is not None:
            self.close()

    def close(self) -> None:
        """Returns the mapping to its pool. Nothing may use its arrays any more."""
        arena, self._arena = self._arena, None
        if arena is not None:
            self._pool.give_back(arena)


def _layout(job: GadgetJob, party: Party) -> _Layout:
    spec, groups = job.spec, job.group_count
    if job.table is not None:
        server, client = job.table.server_state_group_bytes, job.table.client_state_group_bytes
        return {"state": ((groups, server if party is Party.SERVER else client), np.dtype(np.uint8))}
    if party is Party.SERVER:
        return {"state": ((groups, spec.state_group_bytes), np.dtype(np.uint8))}
    words = ((job.padded_count,), np.dtype(np.uint32))
    return {
        "share": words,
        **({"select": words} if spec.uses_select else {}),
        "labels": ((groups, spec.label_ots, LANES, LABEL_BYTES), np.dtype(np.uint8)),
        "garbled": ((groups, spec.garbled_group_bytes), np.dtype(np.uint8)),
    }


def _size(shape: tuple[int, ...], dtype: np.dtype) -> int:
    byte_count = int(np.prod(shape)) * dtype.itemsize
    return aligned_bytes(byte_count)
