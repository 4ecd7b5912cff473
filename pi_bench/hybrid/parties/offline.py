"""The offline phase: products, OTs and garbling in the order of `pi_bench.hybrid.offline_schedule`.

While the server computes the products of one layer, the client decrypts those of the last layer, chooses its
labels and encrypts the masks of the next layer. So both parties and the wire are busy at once.

A phase may prepare several inferences. Their masks share products. Each has its own garbled gadgets, tables,
OTs and seeds, for which a party has one object per inference.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np

from pi_bench.hybrid.exchange import Exchange
from pi_bench.hybrid.exchanges import Product
from pi_bench.hybrid.offline_schedule import Turn
from pi_bench.hybrid.parties.gadgets import Acts, ClientGadgets, ServerGadgets
from pi_bench.hybrid.parties.garbling import Garbler
from pi_bench.hybrid.parties.keys import ClientKeys, ServerKeys
from pi_bench.hybrid.parties.material import Lease
from pi_bench.hybrid.parties.prepared import PreparedProducts
from pi_bench.hybrid.parties.products import ClientProducts, ServerProducts
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import Weights
from pi_bench.protocol import SessionLike


class ClientOffline:
    """Runs the client in one offline phase. `server_offline` shows both parties.

    Args:
        leases: of the memory of each inference that the phase prepares.
        masks: of each inference.
        first_id: the id of the first inference. The others follow it.

    ```python
    from pi_bench.hybrid.offline_schedule import client_turns, offline_schedule

    def offline(session: SessionLike, plan: WorkPlan, keys: ClientKeys, lease: Lease, masks, inference_id):
        turns = list(client_turns(offline_schedule(plan)))
        return ClientOffline(session, plan, turns, keys, [lease], [masks], inference_id, threads=1).run()[0]
    ```
    """

    def __init__(
        self,
        session: SessionLike,
        plan: WorkPlan,
        turns: Sequence[tuple[Turn, Exchange]],
        keys: ClientKeys,
        leases: Sequence[Lease],
        masks: Sequence[Mapping[int, np.ndarray]],
        first_id: int,
        threads: int,
    ) -> None:
        self._turns = turns
        self._products = ClientProducts(session, plan, keys.he, masks, threads)
        self._gadgets = [
            ClientGadgets(session, plan, keys, lease, known, inference_id, threads)
            for inference_id, (lease, known) in enumerate(
                zip(leases, self._products.known, strict=True), first_id
            )
        ]

    def run(self) -> list[tuple[dict[str, np.ndarray], dict[int, np.ndarray]]]:
        """Runs the phase. Returns for each inference the material of every gadget and cross product by name,
        and the client's share of every value by id.

        Raises:
            PeerError: a message of the server is not valid.
            ConnectionFailedError: no message came in time, or the connection was lost.
        """
        products: dict[Turn, Acts] = {
            Turn.ASK: {Product: self._products.ask},
            Turn.ACCEPT: {Product: self._products.accept},
        }
        with contextlib.ExitStack() as on_exit:
            acts = [
                {turn: products[turn] | own[turn] for turn in Turn}
                for own in (on_exit.enter_context(gadgets).acts for gadgets in self._gadgets)
            ]
            for turn, exchange in self._turns:
                _act(acts[exchange.inference][turn], exchange)
            arrays = [gadgets.arrays() for gadgets in self._gadgets]
        return list(zip(arrays, self._products.known, strict=True))


def server_offline(
    session: SessionLike,
    plan: WorkPlan,
    exchanges: Sequence[Exchange],
    keys: ServerKeys,
    prepared: PreparedProducts,
    weights: Weights,
    garblers: Sequence[Garbler],
    leases: Sequence[Lease],
    threads: int,
) -> list[dict[str, np.ndarray]]:
    """Answers every exchange of an offline phase, in the order of `offline_schedule`.

    Returns for each inference the server's material of every gadget, cross product and linear value by name.
    Both parties' shares of a linear value add up to the layer's product with the client's mask:

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
    ...         return ClientOffline(session, plan, turns, keys, [lease], [masks], 0, threads=1).run()
    >>> def server(session):
    ...     keys, products = server_set_up(session), PreparedProducts(plan, weights, 0, threads=1)
    ...     lease = ArenaPool(plan, Party.SERVER).take()
    ...     with Garbler(session, keys, lease.arena, 0, threads=1) as garbler:
    ...         return server_offline(
    ...             session, plan, order, keys, products, weights, [garbler], [lease], threads=1)
    >>> [(arrays, shares)], [server_arrays] = run_sub_protocol(client, server)
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
    gadgets = [
        ServerGadgets(session, plan, keys, garbler, lease, threads)
        for garbler, lease in zip(garblers, leases, strict=True)
    ]
    with contextlib.ExitStack() as on_exit:
        for own in gadgets:
            on_exit.enter_context(contextlib.closing(own.tables))
        answers = [{Product: products.answer} | own.answers for own in gadgets]
        for exchange in exchanges:
            _act(answers[exchange.inference], exchange)
    return [
        own.arrays() | {f"constant:{op_id}": constant for op_id, constant in constants.items()}
        for own, constants in zip(gadgets, products.constants, strict=True)
    ]


def _act(acts: Acts, exchange: Exchange) -> None:
    act = acts.get(type(exchange))
    if act is None:
        raise AssertionError(f"no party works on {type(exchange).__name__}")
    act(exchange)
