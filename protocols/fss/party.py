"""The two parties of `fss`: those of the hybrid protocols, with a shared table where the window allows it."""

from __future__ import annotations

from pi_bench.hybrid.parties.party import HybridClient, HybridServer


class FssClient(HybridClient):
    """Runs the client, who holds the input, evaluates its shares of the tables and learns the logits.

    Online it receives a message for each layer and answers it. For 4 ReLUs its answer has 20 bytes: a word of
    4 bytes per ReLU, and a word that holds one bit for each ReLU of a group of 32.

    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_small_network
    >>> run = run_small_network(find_protocol("fss"), "windowed")
    >>> run.output.shape, [len(message.payload) for message in run.transcript if "online" in message.phase]
    ((1, 1), [8, 176, 20, 4])
    """

    name = "fss"
    uses_tables = True


class FssServer(HybridServer):
    """Runs the server, who holds the weights, evaluates its shares of the tables and learns nothing.

    In exact mode both parties compute the integer network:

    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_small_network
    >>> ideal, exact = (run_small_network(find_protocol(name), "exact") for name in ("ideal", "fss"))
    >>> bool(exact.output == ideal.output)
    True
    """

    name = "fss"
    uses_tables = True
