"""The two parties of `fss`: those of the hybrid protocols, with a shared table where the window allows it."""

from __future__ import annotations

from pi_bench.hybrid.parties.party import HybridClient, HybridServer


class FssClient(HybridClient):
    """Plays the client, who holds the input, evaluates its shares of the tables and learns the logits.

    Its answer to the server's message of 4 ReLUs, which fill a group of 32, has a word per ReLU and a word of
    bits:

    >>> import numpy as np
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_in_memory, small_network
    >>> program, weights = small_network()
    >>> inputs, options = [np.array([[100, 200]], np.uint32)], ProtocolOptions("windowed")
    >>> (run,) = run_in_memory(find_protocol("fss"), program, weights, inputs, options)
    >>> run.output.shape, [len(message.payload) for message in run.transcript if "online" in message.phase]
    ((1, 1), [8, 176, 20, 4])
    """

    name = "fss"
    uses_tables = True


class FssServer(HybridServer):
    """Plays the server, who holds the weights, evaluates its shares of the tables and learns nothing.

    In exact mode both parties compute the integer network:

    >>> import numpy as np
    >>> from pi_bench.network.execution.reference import run_reference
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_in_memory, small_network
    >>> program, weights = small_network()
    >>> inputs = [np.array([[100, 200]], np.uint32)]
    >>> (run,) = run_in_memory(find_protocol("fss"), program, weights, inputs, ProtocolOptions("exact"))
    >>> bool(run.output == run_reference(program, weights, inputs[0]).values[program.output.id])
    True
    """

    name = "fss"
    uses_tables = True
