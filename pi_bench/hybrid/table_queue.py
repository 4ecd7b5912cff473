"""The order of the exchanges that grow shared tables, slice by slice.

The steps of a slice follow each other: each needs the answer to the one before. So the steps of several
slices take turns, and slices of one layer take turns with the products and slices of the next layers. Then
no party waits for the other, and the whole network waits for no more messages than its deepest tree.

The choices of a layer's first slices need nothing of the client. They come before the products of the layer.
The number of slices under way is bounded, and with it the memory for labels and nodes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from pi_bench.hybrid.exchange import Exchange
from pi_bench.hybrid.exchanges import Product, TableChoices, TableStep, step_count, table_of
from pi_bench.hybrid.work_plan import GadgetJob

_UNDER_WAY = 8
"""The number of slices that may be under way. Their nodes take turns in the cache."""

_AHEAD = 4
"""The number of a layer's first slices whose choices come before its products."""

_DISTANCE = 4
"""The number of exchanges between two steps of a slice, so that the second does not wait for the first."""


@dataclass(slots=True, eq=False)
class _Slice:
    job: GadgetJob
    groups: range
    place: int = 0  # the number of exchanges up to its last one, all of which its next one needs
    clock: int = 0  # the time of its last exchange
    chosen: bool = False  # whether its choices are in the list
    steps: int = 0  # how many of its steps are in the list


class TableQueue:
    """Appends the exchanges of table gadgets to a list that others append to as well.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> (job,) = WorkPlan(small_network()[0], ProtocolOptions("windowed"), uses_tables=True).gadget_jobs
    >>> exchanges = []
    >>> queue = TableQueue(exchanges)
    >>> queue.announce(job)
    >>> queue.release(job, needs=1)
    >>> queue.advance()  # the next step follows some exchanges later
    >>> queue.finish()
    >>> [(type(exchange).__name__, exchange.needs) for exchange in exchanges]
    [('TableChoices', 0), ('TableStep', 1), ('TableStep', 2)]
    """

    def __init__(self, exchanges: list[Exchange]) -> None:
        self._exchanges = exchanges
        self._seen = 0  # exchanges that have entered the clock
        self._clock = 0
        self._announced: dict[int, list[_Slice]] = {}  # by gadget
        self._coming: deque[_Slice] = deque()
        self._under_way: deque[_Slice] = deque()

    def announce(self, job: GadgetJob) -> None:
        """Appends the choices of a gadget's first slices, whose values are not known yet."""
        first = [_Slice(job, groups) for groups in job.offline_slices[:_AHEAD]]
        for slice_ in first:
            self._choose(slice_)
        self._announced[job.number] = first

    def release(self, job: GadgetJob, needs: int) -> None:
        """Lets a gadget's slices begin, as soon as the first `needs` exchanges are complete."""
        first = self._announced.pop(job.number)
        slices = first + [_Slice(job, groups) for groups in job.offline_slices[len(first) :]]
        for slice_ in slices:
            slice_.place = max(slice_.place, needs)
        self._coming += slices

    def advance(self) -> None:
        """Appends the exchanges of all slices that can follow without waiting."""
        while self._step(waits=False):
            pass

    def finish(self) -> None:
        """Appends all that is left."""
        while self._step(waits=True):
            pass

    def _step(self, *, waits: bool) -> bool:
        """Appends one exchange, if there is any that does not wait or if it may wait."""
        self._tick()
        ready = bool(self._under_way) and self._clock - self._under_way[0].clock >= _DISTANCE
        if not ready and self._coming and len(self._under_way) < _UNDER_WAY:
            slice_ = self._coming.popleft()
            if slice_.chosen:
                self._grow(slice_)
            else:
                self._choose(slice_)
                self._under_way.append(slice_)
            return True
        if ready or (waits and self._under_way):
            self._grow(self._under_way.popleft())
            return True
        return False

    def _choose(self, slice_: _Slice) -> None:
        self._append(slice_, TableChoices.of(slice_.job, slice_.groups))
        slice_.chosen = True

    def _grow(self, slice_: _Slice) -> None:
        self._append(slice_, TableStep.of(slice_.job, slice_.groups, slice_.steps, slice_.place))
        slice_.steps += 1
        if slice_.steps < step_count(table_of(slice_.job)):
            self._under_way.append(slice_)

    def _append(self, slice_: _Slice, exchange: Exchange) -> None:
        self._exchanges.append(exchange)
        self._tick()
        slice_.place = max(slice_.place, len(self._exchanges))
        slice_.clock = self._clock

    def _tick(self) -> None:
        """Lets time pass for the exchanges since the last call. A product takes long."""
        for exchange in self._exchanges[self._seen :]:
            self._clock += _DISTANCE if isinstance(exchange, Product) else 1
        self._seen = len(self._exchanges)
