"""The exchanges of a gadget with a table: the server's choices, and the steps that grow the table's tree.

The steps of a slice follow each other, and each needs the one before. A bundle is a party's message about one
level of the tree. A party can make bundle i + 1 as soon as it has both bundles i:

    step 0    client  label OTs, corrections, bundle 1    server  opening, bundles 1 and 2
    step 1    client  bundles 2 and 3                     server  bundles 3 and 4
    ...

Which messages exist follows from the number of levels, which is public.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pi_bench.costs import NOTHING
from pi_bench.crypto.fss import FssSpec
from pi_bench.crypto.symmetric import LANES
from pi_bench.hybrid.exchange import Exchange, ExchangeWork
from pi_bench.hybrid.exchanges.gadget import gadget_purpose
from pi_bench.hybrid.fixed_steps import CLIENT_EXCHANGE, SERVER_EXCHANGE
from pi_bench.hybrid.parts import OT, TABLES
from pi_bench.hybrid.work_plan import GadgetJob
from pi_bench.primitives.fss import fss_work
from pi_bench.primitives.memory import random_work
from pi_bench.protocol.script import Message
from pi_bench.protocol.session import Party


def table_of(job: GadgetJob) -> FssSpec:
    """Returns the table of a gadget that has one.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> plan = WorkPlan(small_network()[0], ProtocolOptions("windowed"), uses_tables=True)
    >>> table_of(plan.gadget_jobs[0]).share_versions
    2
    """
    assert job.table is not None, "this gadget is garbled"
    return job.table


@dataclass(frozen=True, slots=True, eq=False)
class TableChoices(Exchange):
    """Extends reverse OTs whose choices are the server's masks of a slice of tables. It has no request.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> (job,) = WorkPlan(small_network()[0], ProtocolOptions("windowed"), uses_tables=True).gadget_jobs
    >>> TableChoices.of(job, job.offline_slices[0]).answer_bytes == 32 * 4 * table_of(job).choice_ots
    True
    """

    job: GadgetJob
    groups: range

    @classmethod
    def of(cls, job: GadgetJob, groups: range) -> Self:
        """Returns the exchange of a slice."""
        ots = table_of(job).choice_ots * len(job.elements(groups))
        message = Message(Party.SERVER, job.op_id, OT, job.extension_bytes(ots), gadget_purpose(job))
        return cls((), (message,), 0, job, groups)

    @property
    def ot_count(self) -> int:
        """The number of reverse OTs of the slice."""
        return table_of(self.job).choice_ots * len(self.job.elements(self.groups))

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties, as `Exchange.work` says."""
        del prepared
        ots, construction = self.ot_count, self.job.construction
        extended = NOTHING if construction.extends_within else construction.work("sender", ots)
        return ExchangeWork(
            answer=SERVER_EXCHANGE + random_work(ots // LANES) + construction.work("receiver", ots),
            accept=CLIENT_EXCHANGE + extended,
        )


@dataclass(frozen=True, slots=True, eq=False)
class TableStep(Exchange):
    """Exchanges the messages of one step of a slice, as the module describes them.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol.options import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> (job,) = WorkPlan(small_network()[0], ProtocolOptions("windowed"), uses_tables=True).gadget_jobs
    >>> steps = [TableStep.of(job, range(1), number, needs=9) for number in range(step_count(table_of(job)))]
    >>> [(list(step.client_bundles), list(step.server_bundles)) for step in steps], table_of(job).bundle_count
    ([([1], [1, 2]), ([2, 3], [3])], 3)
    """

    job: GadgetJob
    groups: range
    number: int

    @classmethod
    def of(cls, job: GadgetJob, groups: range, number: int, needs: int) -> Self:
        """Returns the exchange `number` (from 0) by which the tables of the slice `groups` of `job` grow."""
        table = table_of(job)
        asked = sum(table.bundle_group_bytes(level) for level in _client_bundles(table, number))
        answered = sum(table.bundle_group_bytes(level) for level in _server_bundles(table, number))
        if number == 0:
            asked += job.extension_bytes(LANES * table.request_ots) + table.correction_group_bytes
            answered += table.opening_group_bytes
        request, answer = (
            (Message(sender, job.op_id, TABLES, len(groups) * group_bytes, gadget_purpose(job)),)
            if group_bytes
            else ()
            for sender, group_bytes in ((Party.CLIENT, asked), (Party.SERVER, answered))
        )
        return cls(request, answer, needs, job, groups, number)

    @property
    def client_bundles(self) -> range:
        """The levels whose bundles the request has."""
        return _client_bundles(table_of(self.job), self.number)

    @property
    def server_bundles(self) -> range:
        """The levels whose bundles the answer has."""
        return _server_bundles(table_of(self.job), self.number)

    @property
    def ot_count(self) -> int:
        """The number of label OTs of the slice, which the request of step 0 has."""
        return table_of(self.job).request_ots * len(self.job.elements(self.groups))

    @property
    def last(self) -> bool:
        """Whether this is the last step of the slice."""
        return self.number + 1 == step_count(table_of(self.job))

    def work(self, prepared: frozenset[int]) -> ExchangeWork:
        """Returns the computing of both parties, as `Exchange.work` says."""
        del prepared
        table, count = table_of(self.job), len(self.job.elements(self.groups))
        ask = take = NOTHING
        if self.number == 0:
            ask = random_work(count) + self.job.construction.work("receiver", self.ot_count)
            ask += fss_work("request", table, count)
            if self.job.construction.extends_within:
                ask += self.job.construction.work("sender", table.choice_ots * count)
            take = self.job.construction.work("sender", self.ot_count) + fss_work("answer", table, count)
        growing = fss_work("grow", table, count, self.client_bundles)
        grown = fss_work("grow", table, count, self.server_bundles)
        return ExchangeWork(
            ask=CLIENT_EXCHANGE + ask,
            take=SERVER_EXCHANGE + take + growing,
            accept=CLIENT_EXCHANGE + grown if self.answer else NOTHING,
        )


def step_count(table: FssSpec) -> int:
    """Returns the number of steps, one after another, in which the tables of a slice grow.

    >>> specs = FssSpec("relu", 12, 20, False, 4095, 1), FssSpec("relu", 12, 23, False, 4095, 1)
    >>> step_count(specs[0]), step_count(specs[1])
    (1, 2)
    """
    return table.bundle_count // 2 + 1


def _client_bundles(table: FssSpec, step: int) -> range:
    return range(max(1, 2 * step), min(2 * step + 1, table.bundle_count) + 1)


def _server_bundles(table: FssSpec, step: int) -> range:
    return range(2 * step + 1, min(2 * step + 2, table.bundle_count) + 1)
