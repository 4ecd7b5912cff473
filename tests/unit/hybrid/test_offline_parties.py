"""Both parties of the offline phase refuse an exchange that they do not know."""

import pytest

from pi_bench.hybrid.exchange import Exchange
from pi_bench.hybrid.offline_schedule import Turn
from pi_bench.hybrid.parties.garbling import Garbler
from pi_bench.hybrid.parties.keys import client_set_up, server_set_up
from pi_bench.hybrid.parties.material import ArenaPool
from pi_bench.hybrid.parties.offline import ClientOffline, server_offline
from pi_bench.hybrid.parties.prepared import PreparedProducts
from pi_bench.hybrid.parties.products import draw_masks
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.protocol import Party, ProtocolOptions
from pi_bench.testing import run_sub_protocol, small_network


class Unknown(Exchange):
    """An exchange of a kind that somebody added to the schedule alone."""


@pytest.mark.parametrize("turn", [Turn.ASK, Turn.ACCEPT, None])
def test_an_exchange_that_a_party_does_not_know_is_refused(turn: Turn | None) -> None:
    """By the client when it asks or accepts, and by the server (None)."""
    program, weights = small_network()
    plan, masks, unknown = (
        WorkPlan(program, ProtocolOptions("exact")),
        draw_masks(program),
        Unknown((), (), 0),
    )

    def client(session) -> None:
        keys = client_set_up(session)
        if turn is not None:
            with ArenaPool(plan, Party.CLIENT).take() as lease:
                ClientOffline(session, plan, [(turn, unknown)], keys, [lease], [masks], 0, threads=1).run()

    def server(session) -> None:
        keys, products = server_set_up(session), PreparedProducts(plan, weights, 0, threads=1)
        if turn is None:
            lease = ArenaPool(plan, Party.SERVER).take()
            with Garbler(session, keys, lease.arena, 0, threads=1) as garbler:
                own = [garbler], [lease]
                server_offline(session, plan, [unknown], keys, products, weights, *own, threads=1)

    with pytest.raises(AssertionError, match="no party works on Unknown"):
        run_sub_protocol(client, server)
