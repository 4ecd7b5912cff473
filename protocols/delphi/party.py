"""The two parties of `delphi`: those of the hybrid protocols, with a garbled gadget for every activation."""

from __future__ import annotations

from pi_bench.hybrid.parties.party import HybridClient, HybridServer


class DelphiClient(HybridClient):
    """Plays the client, who holds the input, evaluates the circuits and learns the logits.

    >>> import numpy as np
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_in_memory, small_network
    >>> program, weights = small_network()
    >>> inputs = [np.array([[100, 200]], np.uint32)]
    >>> (run,) = run_in_memory(find_protocol("delphi"), program, weights, inputs, ProtocolOptions("exact"))
    >>> run.output.shape, [len(message.payload) for message in run.transcript if "online" in message.phase]
    ((1, 1), [8, 10372, 16, 4])
    """

    name = "delphi"


class DelphiServer(HybridServer):
    """Plays the server, who holds the weights, garbles the circuits and learns nothing.

    In exact mode both parties compute the integer network:

    >>> import numpy as np
    >>> from pi_bench.network.execution.reference import run_reference
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import run_in_memory, small_network
    >>> program, weights = small_network()
    >>> inputs = [np.array([[100, 200]], np.uint32)]
    >>> (run,) = run_in_memory(find_protocol("delphi"), program, weights, inputs, ProtocolOptions("exact"))
    >>> bool(run.output == run_reference(program, weights, inputs[0]).values[program.output.id])
    True
    """

    name = "delphi"
