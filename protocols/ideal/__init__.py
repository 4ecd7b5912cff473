"""INSECURE: the ideal functionality, computed by a trusted dealer inside the server's process.

    client                                   server (dealer)
      offline        <-------  its share v of every linear value
      online   q  ---------->
                     <-------  logits

It is the functionality F of docs/threat-model.md, an oracle for every other protocol. The dealer samples the
client's shares v and gives them to the client. It computes the network in the clear, applies the law of the
mode to every activation (T_v if it is windowed), and gives the logits to the client. Here the dealer is the
server, so the server sees the input and nothing is private.
"""

from pi_bench.hybrid.modes import SIGN_DROP, WINDOW_MODES
from pi_bench.protocol import ProtocolInfo

from .insecure_dealer import InsecureIdealClient, InsecureIdealServer, predict

PROTOCOL = ProtocolInfo(
    name="ideal",
    title="ideal (INSECURE: a trusted dealer sees the input and the weights)",
    meaning="A trusted dealer that computes the network in the clear, with which protocols are compared. "
    "INSECURE.",
    modes=WINDOW_MODES,
    secure=False,
    client=InsecureIdealClient,
    server=InsecureIdealServer,
    predict=predict,
    options=(SIGN_DROP,),
)
