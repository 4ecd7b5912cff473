"""The offline phase: products, OTs and garbling in the order of `pi_bench.hybrid.offline_schedule`.

While the server computes the products of one layer, the client decrypts those of the last layer, chooses its
labels and encrypts the masks of the next layer. So both parties and the wire are busy at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pi_bench.hybrid.exchange import Exchange
from pi_bench.hybrid.exchanges import (
    CrossChoices,
    CrossCorrections,
    Garble,
    Product,
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
from pi_bench.hybrid.parties.prepared import PreparedProducts
from pi_bench.hybrid.parties.products import ClientProducts, ServerProducts
from pi_bench.hybrid.parties.tables import ClientTables, ServerTables
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import Weights
from pi_bench.protocol import SessionLike

_Acts = dict[type[Exchange], Callable[[Any], None]]
"""The act of a party for each kind of exchange. Its argument is an exchange of that kind."""


class ClientOffline:
    """Runs the client in one offline phase. `server_offline` shows both parties.

    ```python
    from pi_bench.hybrid.offline_schedule import client_turns, offline_schedule

    def offline(session: SessionLike, plan: WorkPlan, keys: ClientKeys, lease: Lease, masks, inference_id):
        turns = list(client_turns(offline_schedule(plan)))
        return ClientOffline(session, plan, turns, keys, lease, masks, inference_id, threads=1).run()
    ```
    """

    def __init__(
        self,
        session: SessionLike,
        plan: WorkPlan,
        turns: Sequence[tuple[Turn, Exchange]],
        keys: ClientKeys,
        lease: Lease,
        masks: dict[int, np.ndarray],
        inference_id: int,
        threads: int,
    ) -> None:
        self._plan = plan
        self._turns = turns
        self._products = ClientProducts(session, plan, keys.he, masks, threads)
        self._evaluator = Evaluator(session, keys, lease.arena, inference_id, threads, plan.ots)
        self._crosses = ClientCrosses(session, keys.reverse, threads)
        self._tables = ClientTables(session, keys.reverse, self._evaluator, lease, threads)
        self._reverse_delta = keys.reverse.delta.array
        self._asks: _Acts = {
            Seeds: _wait,
            Trees: lambda _: self._evaluator.send_trees(),
            Product: self._products.ask,
            Select: _wait,
            Garble: self._ask_garble,
            CrossChoices: _wait,
            CrossCorrections: self._ask_corrections,
            TableChoices: _wait,
            TableStep: self._ask_table,
        }
        self._accepts: _Acts = {
            Seeds: self._accept_seeds,
            Trees: self._evaluator.accept_trees,
            Product: self._products.accept,
            Select: self._evaluator.accept_select,
            Garble: self._evaluator.accept,
            CrossChoices: self._crosses.accept,
            CrossCorrections: _wait,
            TableChoices: self._tables.accept_choices,
            TableStep: self._tables.accept,
        }

    def run(self) -> tuple[dict[str, np.ndarray], dict[int, np.ndarray]]:
        """Runs the phase. Returns the material of every gadget and cross product by name, and the client's
        share of every value by id.

        Raises:
            PeerError: a message of the server is not valid.
            ConnectionFailedError: no message came in time, or the connection was lost.
        """
        with self._evaluator, contextlib.closing(self._tables):
            for turn, exchange in self._turns:
                _act(self._asks if turn is Turn.ASK else self._accepts, exchange)
            arrays = self._evaluator.arrays | self._crosses.arrays | self._tables.arrays
            if self._plan.table_jobs:
                seed = np.frombuffer(self._evaluator.table_seed, np.uint8)
                arrays |= {"table_seed": seed, "reverse_delta": self._reverse_delta}
            return arrays, self._products.known

    def _accept_seeds(self, exchange: Seeds) -> None:
        self._evaluator.accept_seeds(exchange)
        self._crosses.reverse = self._tables.reverse = self._evaluator.reverse

    def _ask_garble(self, exchange: Garble) -> None:
        self._evaluator.ask(exchange, self._products.known[self._plan.source_of(exchange.job)])

    def _ask_table(self, exchange: TableStep) -> None:
        self._tables.ask(exchange, self._products.known[self._plan.source_of(exchange.job)])

    def _ask_corrections(self, exchange: CrossCorrections) -> None:
        mask = self._products.known[exchange.job.masked_by]
        self._crosses.ask(exchange, self._evaluator.reverse_seed, mask)


def server_offline(
    session: SessionLike,
    plan: WorkPlan,
    exchanges: Sequence[Exchange],
    keys: ServerKeys,
    prepared: PreparedProducts,
    weights: Weights,
    garbler: Garbler,
    lease: Lease,
    threads: int,
) -> dict[str, np.ndarray]:
    """Answers every exchange of an offline phase, in the order of `offline_schedule`.

    Returns the server's material of every gadget, cross product and linear value by name. Both parties'
    shares of a linear value add up to the layer's product with the client's mask:

    >>> from pi_bench.network.execution.shares import apply_linear
    >>> from pi_bench.protocol import Party, ProtocolOptions
    >>> from pi_bench.hybrid.parties.keys import client_set_up, server_set_up
    >>> from pi_bench.hybrid.parties.material import ArenaPool
    >>> from pi_bench.hybrid.offline_schedule import client_turns, offline_schedule
    >>> from pi_bench.hybrid.parties.products import draw_masks
    >>> from pi_bench.testing import run_sub_protocol, small_network
    >>> program, weights = small_network()
    >>> plan, masks = WorkPlan(program, ProtocolOptions("exact")), draw_masks(program)
    >>> order = offline_schedule(plan)
    >>> turns = list(client_turns(order))
    >>> def client(session):
    ...     with ArenaPool(plan, Party.CLIENT).take() as lease:
    ...         keys = client_set_up(session)
    ...         return ClientOffline(session, plan, turns, keys, lease, masks, 0, threads=1).run()
    >>> def server(session):
    ...     keys, products = server_set_up(session), PreparedProducts(plan, weights, 0, threads=1)
    ...     lease = ArenaPool(plan, Party.SERVER).take()
    ...     with Garbler(session, keys, lease.arena, 0, threads=1) as garbler:
    ...         return server_offline(
    ...             session, plan, order, keys, products, weights, garbler, lease, threads=1)
    >>> (arrays, shares), server_arrays = run_sub_protocol(client, server)
    >>> sorted(arrays)
    ['garbled:0', 'hash_seed', 'labels:0', 'select:0', 'share:0']
    >>> expected = apply_linear(program.linear_ops[0], masks, weights)
    >>> np.array_equal(shares[1] + server_arrays["constant:1"], expected)
    True

    Raises:
        PeerError: a message of the client is not valid.
        ConnectionFailedError: no message came in time, or the connection was lost.
    """
    products = ServerProducts(session, plan, keys.he, prepared, weights, threads)
    crosses = ServerCrosses(session, keys.reverse, threads)
    tables = ServerTables(session, keys.reverse, garbler, lease, threads)

    def send_seeds(_: Seeds) -> None:
        garbler.send_seeds()
        crosses.reverse = tables.reverse = garbler.reverse

    answers: _Acts = {
        Seeds: send_seeds,
        Trees: garbler.receive_trees,
        Product: products.answer,
        Select: lambda exchange: garbler.send_select(exchange.job),
        Garble: garbler.answer,
        CrossChoices: crosses.send,
        CrossCorrections: lambda exchange: crosses.receive(exchange, garbler.reverse_seed),
        TableChoices: tables.send_choices,
        TableStep: tables.answer,
    }
    with contextlib.closing(tables):
        for exchange in exchanges:
            _act(answers, exchange)
    constants = {f"constant:{op_id}": constant for op_id, constant in products.constants.items()}
    arrays = garbler.arrays | crosses.arrays | tables.arrays | constants
    if plan.table_jobs:
        arrays["table_seed"] = np.frombuffer(garbler.table_seed, np.uint8)
    return arrays


def _wait(_: Exchange) -> None:
    """Does nothing. The server sends without being asked, or does not answer."""


def _act(acts: _Acts, exchange: Exchange) -> None:
    act = acts.get(type(exchange))
    if act is None:
        raise AssertionError(f"no party works on {type(exchange).__name__}")
    act(exchange)
