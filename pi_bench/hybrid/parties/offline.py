"""The offline phase: products, OTs and garbling in the order of `pi_bench.hybrid.offline_schedule`.

While the server computes the products of one layer, the client decrypts those of the last layer, chooses its
labels and encrypts the masks of the next layer. So both parties and the wire are busy at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

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


class ClientOffline:
    """Plays the client in one offline phase. `server_offline` shows both parties.

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

    def run(self) -> tuple[dict[str, np.ndarray], dict[int, np.ndarray]]:
        """Runs the phase. Returns the material of every gadget and cross product by name, and the client's
        share of every value by id.

        Raises:
            PeerError: a message of the server is not valid.
            ConnectionFailedError: no message came in time, or the connection was lost.
        """
        with self._evaluator, contextlib.closing(self._tables):
            for turn, exchange in self._turns:
                (self._ask if turn is Turn.ASK else self._accept)(exchange)
            arrays = self._evaluator.arrays | self._crosses.arrays | self._tables.arrays
            if self._plan.table_jobs:
                seed = np.frombuffer(self._evaluator.table_seed, np.uint8)
                arrays |= {"table_seed": seed, "reverse_delta": self._reverse_delta}
            return arrays, self._products.known

    def _ask(self, exchange: Exchange) -> None:
        match exchange:
            case Product():
                self._products.ask(exchange)
            case Trees():
                self._evaluator.send_trees()
            case Garble():
                share = self._products.known[self._plan.source_of(exchange.job)]
                self._evaluator.ask(exchange, share)
            case TableStep():
                share = self._products.known[self._plan.source_of(exchange.job)]
                self._tables.ask(exchange, share)
            case CrossCorrections():
                mask = self._products.known[exchange.job.masked_by]
                self._crosses.ask(exchange, self._evaluator.reverse_seed, mask)
            case Seeds() | Select() | CrossChoices() | TableChoices():
                pass  # the server sends without being asked
            case _:
                raise AssertionError(f"no party works on {type(exchange).__name__}")

    def _accept(self, exchange: Exchange) -> None:
        match exchange:
            case Product():
                self._products.accept(exchange)
            case Seeds():
                self._evaluator.accept_seeds(exchange)
                self._crosses.reverse = self._tables.reverse = self._evaluator.reverse
            case Select():
                self._evaluator.accept_select(exchange)
            case Garble():
                self._evaluator.accept(exchange)
            case CrossChoices():
                self._crosses.accept(exchange)
            case TableChoices():
                self._tables.accept_choices(exchange)
            case TableStep():
                self._tables.accept(exchange)
            case Trees():
                self._evaluator.accept_trees(exchange)
            case CrossCorrections():
                pass  # the server does not answer
            case _:
                raise AssertionError(f"no party works on {type(exchange).__name__}")


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
    with contextlib.closing(tables):
        for exchange in exchanges:
            match exchange:
                case Product():
                    products.answer(exchange)
                case Seeds():
                    garbler.send_seeds()
                    crosses.reverse = tables.reverse = garbler.reverse
                case Trees():
                    garbler.receive_trees(exchange)
                case Select():
                    garbler.send_select(exchange.job)
                case Garble():
                    garbler.answer(exchange)
                case CrossChoices():
                    crosses.send(exchange)
                case CrossCorrections():
                    crosses.receive(exchange, garbler.reverse_seed)
                case TableChoices():
                    tables.send_choices(exchange)
                case TableStep():
                    tables.answer(exchange)
    constants = {f"constant:{op_id}": constant for op_id, constant in products.constants.items()}
    arrays = garbler.arrays | crosses.arrays | tables.arrays | constants
    if plan.table_jobs:
        arrays["table_seed"] = np.frombuffer(garbler.table_seed, np.uint8)
    return arrays
