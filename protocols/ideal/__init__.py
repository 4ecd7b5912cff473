"""INSECURE: the ideal functionality, played by a trusted dealer inside the server's process.

    client                                   server (dealer)
      offline        <-------  its share v of every linear value
      online   q  ---------->
                     <-------  logits

The functionality F of docs/threat-model.md, as an oracle for every other protocol: the dealer samples
the client's shares v, gives them to the client, computes the network in the clear, applies the law
T_v (windowed) or the exact law to every activation, and gives the logits to the client. Here the
dealer is the server, so the server sees the input: nothing is private.
"""

from pi_bench.hybrid.modes import SIGN_DROP, WINDOW_MODES
from pi_bench.protocol import ProtocolInfo

from .insecure_dealer import InsecureIdealClient, InsecureIdealServer, predict

PROTOCOL = ProtocolInfo(
    name="ideal",
    title="ideal (INSECURE: a trusted dealer sees the input and the weights)",
    modes=WINDOW_MODES,
    secure=False,
    client=InsecureIdealClient,
    server=InsecureIdealServer,
    predict=predict,
    options=(SIGN_DROP,),
)
