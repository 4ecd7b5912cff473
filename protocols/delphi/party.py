"""The two parties of `delphi`: those of the hybrid protocols, with a garbled gadget for every activation."""

from __future__ import annotations

from pi_bench.hybrid.parties.party import HybridClient, HybridServer


class DelphiClient(HybridClient):
    """Runs the client, who holds the input, evaluates the circuits and learns the logits.

    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_small_network
    >>> run = run_small_network(find_protocol("delphi"), "exact")
    >>> run.output.shape, [len(message.payload) for message in run.transcript if "online" in message.phase]
    ((1, 1), [8, 10372, 16, 4])
    """

    name = "delphi"


class DelphiServer(HybridServer):
    """Runs the server, who holds the weights, garbles the circuits and learns nothing.

    In exact mode both parties compute the integer network:

    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_small_network
    >>> ideal, exact = (run_small_network(find_protocol(name), "exact") for name in ("ideal", "delphi"))
    >>> bool(exact.output == ideal.output)
    True
    """

    name = "delphi"
