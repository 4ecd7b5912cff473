"""Everything of an offline phase but the products, for one inference: seeds, OTs, gadgets, cross products.

An offline phase has one of these objects for each inference that it prepares. They share nothing but the
keys of the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

from pi_bench.hybrid.exchange import Exchange
from pi_bench.hybrid.exchanges import (
    CrossChoices,
    CrossCorrections,
    Garble,
    Seeds,
    Select,
    TableChoices,
    TableStep,
    Trees,
)
from pi_bench.hybrid.offline_schedule import Turn
from pi_bench.hybrid.parties.crosses import ClientCrosses, ServerCrosses
from pi_bench.hybrid.parties.garbling import Evaluator, Garbler
from pi_bench.hybrid.parties.keys import ClientKeys, ServerKeys
from pi_bench.hybrid.parties.material import Lease
from pi_bench.hybrid.parties.tables import ClientTables, ServerTables
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.protocol import SessionLike

Acts = dict[type[Exchange], Callable[[Any], None]]
"""The act of a party for each kind of exchange. Its argument is an exchange of that kind."""


class ClientGadgets:
    """Runs the client. It is a context manager, which ends the OTs and wipes what a failure left.

    `acts` are called for each exchange but products, on both turns.

    Args:
        known: gets the client's share of every value by id, as soon as the products give it.

    ```python
    def ask(gadgets: ClientGadgets, exchange: Exchange) -> None:
        gadgets.acts[Turn.ASK][type(exchange)](exchange)
    ```
    """

    def __init__(
        self,
        session: SessionLike,
        plan: WorkPlan,
        keys: ClientKeys,
        lease: Lease,
        known: Mapping[int, np.ndarray],
        inference_id: int,
        threads: int,
    ) -> None:
        self._plan = plan
        self._known = known
        self._evaluator = Evaluator(session, keys, lease.arena, inference_id, threads, plan.ots)
        self._crosses = ClientCrosses(session, keys.reverse, threads)
        self._tables = ClientTables(session, keys.reverse, self._evaluator, lease, threads)
        self._reverse_delta = keys.reverse.delta.array
        asks: Acts = {
            Seeds: _wait,
            Trees: lambda _: self._evaluator.send_trees(),
            Select: _wait,
            Garble: self._ask_garble,
            CrossChoices: _wait,
            CrossCorrections: self._ask_corrections,
            TableChoices: _wait,
            TableStep: self._ask_table,
        }
        accepts: Acts = {
            Seeds: self._accept_seeds,
            Trees: self._evaluator.accept_trees,
            Select: self._evaluator.accept_select,
            Garble: self._evaluator.accept,
            CrossChoices: self._crosses.accept,
            CrossCorrections: _wait,
            TableChoices: self._tables.accept_choices,
            TableStep: self._tables.accept,
        }
        self.acts = {Turn.ASK: asks, Turn.ACCEPT: accepts}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._evaluator:
            self._tables.close()

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the material of every gadget and cross product by name."""
        arrays = self._evaluator.arrays | self._crosses.arrays | self._tables.arrays
        if self._plan.table_jobs:
            seed = np.frombuffer(self._evaluator.table_seed, np.uint8)
            arrays |= {"table_seed": seed, "reverse_delta": self._reverse_delta}
        return arrays

    def _accept_seeds(self, exchange: Seeds) -> None:
        self._evaluator.accept_seeds(exchange)
        self._crosses.reverse = self._tables.reverse = self._evaluator.reverse

    def _ask_garble(self, exchange: Garble) -> None:
        self._evaluator.ask(exchange, self._known[self._plan.source_of(exchange.job)])

    def _ask_table(self, exchange: TableStep) -> None:
        self._tables.ask(exchange, self._known[self._plan.source_of(exchange.job)])

    def _ask_corrections(self, exchange: CrossCorrections) -> None:
        mask = self._known[exchange.job.masked_by]
        self._crosses.ask(exchange, self._evaluator.reverse_seed, mask)


class ServerGadgets:
    """Runs the server. `answers` are called for each exchange but products. `tables` must be closed.

    ```python
    def answer(gadgets: ServerGadgets, exchange: Exchange) -> None:
        gadgets.answers[type(exchange)](exchange)
    ```
    """

    def __init__(
        self,
        session: SessionLike,
        plan: WorkPlan,
        keys: ServerKeys,
        garbler: Garbler,
        lease: Lease,
        threads: int,
    ) -> None:
        self._plan = plan
        self._garbler = garbler
        self._crosses = crosses = ServerCrosses(session, keys.reverse, threads)
        self.tables = ServerTables(session, keys.reverse, garbler, lease, threads)
        self.answers: Acts = {
            Seeds: self._send_seeds,
            Trees: garbler.receive_trees,
            Select: lambda exchange: garbler.send_select(exchange.job),
            Garble: garbler.answer,
            CrossChoices: crosses.send,
            CrossCorrections: lambda exchange: crosses.receive(exchange, garbler.reverse_seed),
            TableChoices: self.tables.send_choices,
            TableStep: self.tables.answer,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the material of every gadget and cross product by name."""
        arrays = self._garbler.arrays | self._crosses.arrays | self.tables.arrays
        if self._plan.table_jobs:
            arrays["table_seed"] = np.frombuffer(self._garbler.table_seed, np.uint8)
        return arrays

    def _send_seeds(self, _: Seeds) -> None:
        self._garbler.send_seeds()
        self._crosses.reverse = self.tables.reverse = self._garbler.reverse


def _wait(_: Exchange) -> None:
    """Does nothing. The server sends without being asked, or does not answer."""
