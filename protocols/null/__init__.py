"""INSECURE: plaintext arithmetic behind the messages of `delphi`: the harness' own overhead.

Every message of `delphi` is sent, in the same order and of the same length, but it carries zeros, and
the input travels in the clear. What remains of the time is sockets, frames, Python and the plain
integer network: what a faster protocol could not remove.
"""

from pi_bench.hybrid.modes import LABEL_CHUNK, SIGN_DROP, WINDOW_MODES
from pi_bench.hybrid.work_plan import predict_hybrid
from pi_bench.protocol import ProtocolInfo

from .party import NullClient, NullServer

PROTOCOL = ProtocolInfo(
    name="null",
    title="null (INSECURE: plaintext arithmetic, measures the harness itself)",
    modes=WINDOW_MODES,
    secure=False,
    client=NullClient,
    server=NullServer,
    predict=predict_hybrid,
    options=(LABEL_CHUNK, SIGN_DROP),
)
