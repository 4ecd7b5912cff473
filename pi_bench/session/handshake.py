"""Agrees on versions, protocol, options and program before the first cryptographic byte.

    client                                              server
      hello {version, format, nonce, requirements} ->
                                                   <-   offer {version, format, nonce, protocol, options,
                                                               digest, ahead, constants}
                                                   <-   the public program
      confirm {digest, session}                    ->

A party that disagrees sends an abort with the reason, so that both parties name the same cause. The session's
id and binding hash the randomness of both parties and everything that they agreed on. So a message of
another session, or of a party that got another program, is refused.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pi_bench
from pi_bench import codec
from pi_bench.channel.channel import Channel
from pi_bench.channel.frame import NO_STEP, FrameHeader, FrameKind
from pi_bench.crypto.symmetric import SEED_BYTES
from pi_bench.defaults import MAX_AHEAD
from pi_bench.errors import PeerError, PiBenchError

FORMAT = 3
"""The format of the handshake and of the offline phase. Builds of one version may differ in it."""

HANDSHAKE_TIMEOUT_S = 10.0
HELLO_TIMEOUT_S = 3.0  # a client greets once connected; an idle one must not delay the next one
WAIT_NOTICE_S = 1.0
MAX_HANDSHAKE_BYTES = 4096
MAX_PROGRAM_BYTES = 64 << 20
MAX_OPTIONS = 32
MAX_TEXT = 128
_NONCE_BYTES = 32
_DOMAIN = b"pi-bench session 1"
_CHECKSUM_DOMAIN = b"pi-bench checksum 1"
# A server of a text protocol waits for the end of a line. This makes it answer at once and be recognized.
_HELLO_END = b"\r\n\r\n"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """Holds the offer of the server: protocol, mode, options, and the public program as bytes.

    `digest` is the program's digest in hex. `options` are the protocol's own, by name. The client's
    protocol says which of them it takes. `ahead` is that of `ProtocolOptions`, and
    `constants` are those of `ProtocolInfo`.

    >>> Offer("toy", "exact", "00ff", b"program").as_meta()["mode"]
    'exact'
    """

    protocol: str
    mode: str
    digest: str
    program: bytes
    options: Mapping[str, int | str] = field(default_factory=dict, hash=False)
    ahead: int = 1
    constants: Mapping[str, str] = field(default_factory=dict, hash=False)

    def as_meta(self) -> dict[str, Any]:
        """Returns every field but the program as JSON values."""
        return {
            "protocol": self.protocol,
            "mode": self.mode,
            "options": dict(self.options),
            "digest": self.digest,
            "ahead": self.ahead,
            "constants": dict(self.constants),
        }


@dataclass(frozen=True, slots=True)
class ClientRequirements:
    """Holds the requirements of the client. None accepts whatever the server offers.

    `digest` has the first hex digits of the digest, or all. The command line requires enough of them.
    `max_ahead` bounds the inferences that one offline phase prepares, since the client computes and keeps the
    material of all of them. The client checks it when it has the offer, and the server is not told.

    >>> ClientRequirements(mode="exact").require("toy", "windowed", "00ff")
    Traceback (most recent call last):
    pi_bench.errors.PeerError: mode: the client insists on exact, the server offers windowed
    """

    protocol: str | None = None
    mode: str | None = None
    digest: str | None = None
    max_ahead: int | None = None

    def require_ahead(self, ahead: int) -> None:
        """Refuses an offer of offline phases for more inferences than `max_ahead`.

        >>> ClientRequirements(max_ahead=1).require_ahead(16)
        Traceback (most recent call last):
        pi_bench.errors.PeerError: the server prepares 16 inferences per offline phase (--ahead), and the ...

        Raises:
            PeerError: the server prepares more inferences.
        """
        if self.max_ahead is not None and ahead > self.max_ahead:
            raise PeerError(
                f"the server prepares {ahead} inferences per offline phase (--ahead), and the client accepts "
                f"at most {self.max_ahead} (--max-ahead); raise this number, or ask for another server"
            )

    def require(self, protocol: str, mode: str, digest: str) -> None:
        """Compares an offer with the requirements.

        Raises:
            PeerError: the offer differs. The message names the difference and both values.
        """
        for word, wanted, offered in (
            ("protocol", self.protocol, protocol),
            ("mode", self.mode, mode),
            ("network digest", self.digest, digest),
        ):
            same = wanted is None or (offered.startswith(wanted) if offered is digest else wanted == offered)
            if not same and offered is digest:
                raise PeerError(
                    f"{word}: the client expects {wanted}, the server's program has {digest}, so their model "
                    "files differ, or the bits, the batch or the fusion with which these are compiled; "
                    "compare what `pi-bench inspect` prints of both files"
                )
            if not same:
                raise PeerError(f"{word}: the client insists on {wanted}, the server offers {offered}")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Holds the result of a handshake, which is the same at both parties.

    >>> agreement = Agreement(Offer("toy", "exact", "00ff", b"program"), session_id=1, binding=bytes(32))
    >>> len(agreement.checksum_seed)
    16
    """

    offer: Offer
    session_id: int
    binding: bytes

    @property
    def checksum_seed(self) -> bytes:
        """The seed of the checksums over all frames after the handshake.

        It is fresh in each session. The frames of the handshake need no checksum. Each of their bytes is
        compared or enters `binding`, which the server compares with the client's confirmation.
        """
        return hashlib.sha256(_CHECKSUM_DOMAIN + self.binding).digest()[:SEED_BYTES]


def greet_as_client(
    channel: Channel,
    requirements: ClientRequirements,
    digest_of: Callable[[bytes], str],
    waiting: Callable[[], None] | None = None,
) -> Agreement:
    """Greets the server. `digest_of` parses the program's bytes and computes its digest.

    A server has one client at a time. So its offer may take as long as the channel's time-out. `waiting` is
    called once if the offer does not come within about a second.

    >>> import socket, threading
    >>> client, server = map(Channel, socket.socketpair())
    >>> digest = hashlib.sha256(b"program").hexdigest()
    >>> offer = Offer("toy", "exact", digest, b"program")
    >>> other = threading.Thread(target=greet_as_server, args=(server, offer))
    >>> other.start()
    >>> agreed = greet_as_client(client, ClientRequirements(), lambda data: hashlib.sha256(data).hexdigest())
    >>> agreed.offer == offer
    True
    >>> other.join()
    >>> client.close()
    >>> server.close()

    Raises:
        PeerError: the server has another version or program, or its answer is malformed.
        ConnectionFailedError: no answer came in time, or the connection was lost.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    with _AbortOnError(channel):
        _send(
            channel,
            0,
            {
                "version": pi_bench.__version__,
                "format": FORMAT,
                "nonce": nonce.hex(),
                "protocol": requirements.protocol,
                "mode": requirements.mode,
                "digest": requirements.digest,
            },
            _HELLO_END,
        )
        patience_s = channel.timeout_s or HANDSHAKE_TIMEOUT_S
        if waiting is not None and not channel.readable_within(min(WAIT_NOTICE_S, patience_s)):
            waiting()
        offer = _receive(channel, 0, patience_s)
        protocol, mode, digest = (_text(offer, name) for name in ("protocol", "mode", "digest"))
        options, ahead, constants = _options(offer), _ahead(offer), _constants(offer)
        requirements.require(protocol, mode, digest)
        requirements.require_ahead(ahead)
        program = bytes(channel.receive_bounded(_header(1, 0), MAX_PROGRAM_BYTES, HANDSHAKE_TIMEOUT_S))
        found = digest_of(program)
        if found != digest:
            raise PeerError(f"the server announced the digest {digest} but sent a program with {found}")
        agreed = Offer(protocol, mode, digest, program, options, ahead, constants)
        agreement = _agree(nonce, _nonce(offer), agreed)
        _send(channel, 1, {"digest": digest, "session": f"{agreement.session_id:016x}"})
    channel.start_checksums(agreement.checksum_seed)
    _log.info("handshake: %s, %s, program of %d bytes, digest %.16s", protocol, mode, len(program), digest)
    return agreement


def greet_as_server(channel: Channel, offer: Offer) -> Agreement:
    """Answers a client's greeting with `offer`. `greet_as_client` shows both parties.

    ```python
    def agree(channel: Channel, offer: Offer) -> Agreement:
        return greet_as_server(channel, offer)
    ```

    Raises:
        PeerError: the client has another version or other requirements, or its message is malformed.
        ConnectionFailedError: no message came in time, or the connection was lost.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    with _AbortOnError(channel):
        hello = _receive(channel, 0, HELLO_TIMEOUT_S, _HELLO_END)
        protocol, mode, digest = (_optional_text(hello, name) for name in ("protocol", "mode", "digest"))
        requirements = ClientRequirements(protocol, mode, digest)
        requirements.require(offer.protocol, offer.mode, offer.digest)
        _send(
            channel,
            0,
            {
                "version": pi_bench.__version__,
                "format": FORMAT,
                "nonce": nonce.hex(),
                **offer.as_meta(),
            },
        )
        channel.send(_header(1, len(offer.program)), [memoryview(offer.program)])
        agreement = _agree(_nonce(hello), nonce, offer)
        confirmation = _receive(channel, 1, HANDSHAKE_TIMEOUT_S)
        if (
            _text(confirmation, "digest") != offer.digest
            or _text(confirmation, "session") != f"{agreement.session_id:016x}"
        ):
            raise PeerError("the client confirmed another session or program than was offered")
    channel.start_checksums(agreement.checksum_seed)
    _log.info("handshake: %s, %s, digest %.16s", offer.protocol, offer.mode, offer.digest)
    return agreement


def _agree(client_nonce: bytes, server_nonce: bytes, offer: Offer) -> Agreement:
    hashed = hashlib.sha256(_DOMAIN)
    agreed = json.dumps(offer.as_meta(), sort_keys=True)  # one text per offer, types included
    for part in (client_nonce, server_nonce, agreed):
        data = part if isinstance(part, bytes) else part.encode()
        hashed.update(len(data).to_bytes(8, "little") + data)
    binding = hashed.digest()
    return Agreement(offer, int.from_bytes(binding[:8], "little"), binding)


class _AbortOnError:
    """Sends the text of an error on this side to the peer as an abort, before the error is raised."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, PiBenchError):
            self._channel.abort(0, str(error))


def _header(number: int, payload_bytes: int) -> FrameHeader:
    return FrameHeader(FrameKind.HANDSHAKE, 0, 0, NO_STEP, number, 0, payload_bytes)


def _send(channel: Channel, number: int, meta: Mapping[str, Any], end: bytes = b"") -> None:
    payload = codec.encode(meta, {}) + end
    channel.send(_header(number, len(payload)), [memoryview(payload)])


def _receive(channel: Channel, number: int, deadline_s: float, end: bytes = b"") -> dict[str, Any]:
    payload = channel.receive_bounded(_header(number, 0), MAX_HANDSHAKE_BYTES, deadline_s)
    try:
        meta, _ = codec.decode(payload)
        if number == 0:
            _require_version(meta)  # first: another version may have another form
        canonical = codec.encode(meta, {}) + end
    except ValueError as error:  # of the codec, or of numbers that JSON does not have
        raise PeerError(f"the other party's handshake is malformed: {error}") from error
    if payload != canonical:
        raise PeerError(
            "the other party's handshake is malformed: its padding or its form is not the agreed one"
        )
    return meta


def _require_version(meta: Mapping[str, Any]) -> None:
    version = _text(meta, "version")
    if version != pi_bench.__version__:
        raise PeerError(
            f"the other party runs pi-bench {version!r}, this one {pi_bench.__version__}; "
            "install the same version at both parties"
        )
    found = meta.get("format", 1)
    if type(found) is not int or found != FORMAT:
        raise PeerError(
            f"the other party's build has format {str(found)[:20]!r} of the handshake, this one {FORMAT}; "
            "install the same build of pi-bench at both parties"
        )


def _text(meta: Mapping[str, Any], name: str) -> str:
    value = meta.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        raise PeerError(f"the other party's handshake lacks a usable {name!r}")
    return value


def _options(meta: Mapping[str, Any]) -> dict[str, int | str]:
    """Reads the protocol's options: whole numbers and short texts. The protocol checks their meaning."""
    found = meta.get("options")
    if not isinstance(found, dict) or len(found) > MAX_OPTIONS:
        raise PeerError("the other party's handshake lacks usable 'options'")
    for name, value in found.items():
        whole = type(value) is int and abs(value) < 1 << 63
        text = isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()
        if not 0 < len(name) <= MAX_TEXT or not name.isprintable() or not (whole or text):
            raise PeerError(f"the other party's handshake has an unusable option {name[:40]!r}")
    return found


def _constants(meta: Mapping[str, Any]) -> dict[str, str]:
    found = meta.get("constants")
    if not isinstance(found, dict) or len(found) > MAX_OPTIONS:
        raise PeerError("the other party's handshake lacks usable 'constants'")
    for name, value in found.items():
        texts = (name, value)
        if not all(
            isinstance(text, str) and 0 < len(text) <= MAX_TEXT and text.isprintable() for text in texts
        ):
            raise PeerError(f"the other party's handshake has an unusable constant {name[:40]!r}")
    return found


def _ahead(meta: Mapping[str, Any]) -> int:
    value = meta.get("ahead")
    if type(value) is not int or not 1 <= value <= MAX_AHEAD:
        raise PeerError(
            f"the other party's handshake lacks a usable 'ahead': a whole number from 1 to {MAX_AHEAD}"
        )
    return value


def _optional_text(meta: Mapping[str, Any], name: str) -> str | None:
    return None if meta.get(name) is None else _text(meta, name)


def _nonce(meta: Mapping[str, Any]) -> bytes:
    text = _text(meta, "nonce")
    try:
        nonce = bytes.fromhex(text)
    except ValueError:
        nonce = b""
    if len(nonce) != _NONCE_BYTES:
        raise PeerError(f"the other party's handshake lacks a nonce of {_NONCE_BYTES} bytes")
    return nonce
