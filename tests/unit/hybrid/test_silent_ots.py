"""Ferret's instances of one inference hold no more secrets than they need."""

from __future__ import annotations

import numpy as np

from pi_bench.crypto.ot_extension import CotReceiver, CotSender, base_choice_bits, random_delta
from pi_bench.hybrid.ot_plan import OtPlan
from pi_bench.hybrid.parties.silent import ClientOts, ServerOts


def test_the_base_of_the_labels_is_wiped_once_it_has_served() -> None:
    plan = OtPlan.silent_for(label_count=32, reverse_count=0)
    pairs = np.random.default_rng(1).integers(0, 256, (128, 2, 16), np.uint8)
    with random_delta(label=True) as delta, CotReceiver(pairs) as receiver:
        chosen = pairs[np.arange(128), base_choice_bits(delta)]
        sender = CotSender(delta, chosen, receiver.tree_message)
        client = ClientOts(sender, plan, b"inference 7", threads=1)
        server = ServerOts(receiver, plan, b"inference 7", threads=1)
        with client, server:
            server.begin_labels(sender)
            set_up = client.begin_labels(receiver)
            assert set_up is not None and receiver._leaves.closed and not sender._leaves.closed
            client.accept_labels(server.accept_labels(set_up))
            assert sender._leaves.closed and sender._delta.closed
            zero, active = np.empty((2, 32, 16), np.uint8)
            message = client.labels.extend(np.full(4, 255, np.uint8), 32, active)
            server.labels.extend(message, 32, zero)
            assert np.array_equal(active, zero ^ delta.array)
