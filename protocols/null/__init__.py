"""INSECURE: plaintext arithmetic behind the messages of another protocol, to measure the harness itself.

Every message of the other protocol is sent, in the same order and with the same length. It carries zeros, and
the input and the logits travel in the clear. The time that remains is that of sockets, frames, the harness
and the plain integer network. Its online phase runs without Python, which those of `delphi` and `fss` do not:
their difference from `null` includes their Python. Messages and plaintext work follow one another here, so a
protocol that overlaps them can be faster than this.

``null`` exchanges the messages of `delphi`, ``null:NAME`` those of any protocol NAME that has a script.
"""

from dataclasses import replace

from pi_bench.errors import UsageError
from pi_bench.hybrid.link_choice import settle_by_link
from pi_bench.hybrid.modes import (
    CONSTANTS,
    GARBLING,
    HE_PLAN,
    LABEL_CHUNK,
    OT,
    SIGN_DROP,
    WINDOW_MODES,
    window_law,
)
from pi_bench.hybrid.parts import GARBLED_PARTS
from pi_bench.hybrid.script import hybrid_script, predict_hybrid
from pi_bench.protocol import ProtocolInfo
from pi_bench.protocol.interface import no_alternatives

from .party import NullClient, NullServer

_WORDS = "(INSECURE: plaintext arithmetic, measures the harness itself)"


def _meaning(of: str) -> str:
    return f"The messages of {of} with arithmetic in the clear, for the time without cryptography. INSECURE."


class _HybridClient(NullClient):
    script = staticmethod(hybrid_script)
    law = staticmethod(window_law)


class _HybridServer(NullServer):
    script = staticmethod(hybrid_script)
    law = staticmethod(window_law)


PROTOCOL = ProtocolInfo(
    name="null",
    title=f"null {_WORDS}",
    meaning=_meaning("delphi"),
    parts=GARBLED_PARTS,
    modes=WINDOW_MODES,
    secure=False,
    client=_HybridClient,
    server=_HybridServer,
    predict=predict_hybrid,
    settle=settle_by_link,
    options=(LABEL_CHUNK, GARBLING, HE_PLAN, OT, SIGN_DROP),
    constants=CONSTANTS,
)


def derive(info: ProtocolInfo) -> ProtocolInfo:
    """Returns the null of a protocol: its messages, modes and options around plaintext arithmetic.

    >>> from pi_bench.registry import find_protocol
    >>> null = derive(find_protocol("delphi"))
    >>> null.name, null.secure, null.mode_names == find_protocol("delphi").mode_names
    ('null:delphi', False, True)

    Raises:
        UsageError: the protocol has no script, so its messages are not known.
    """
    if info.script is None:
        raise UsageError(
            f"protocol {info.name} has no script of its messages, so null cannot send them; "
            "name a protocol that has one, or use null alone"
        )
    described = {"script": staticmethod(info.script), "law": staticmethod(info.law)}
    client = type("NullClientOf", (NullClient,), dict(described))
    server = type("NullServerOf", (NullServer,), dict(described))
    return replace(
        info,
        name=f"null:{info.name}",
        title=f"null of {info.name} {_WORDS}",
        meaning=_meaning(info.name),
        secure=False,
        default=False,
        client=client,
        server=server,
        script=None,
        security=None,
        alternatives=no_alternatives,
    )
