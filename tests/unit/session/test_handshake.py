import dataclasses
import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pi_bench
from pi_bench import codec
from pi_bench.channel import FrameKind
from pi_bench.channel.frame import NO_STEP, FrameHeader
from pi_bench.errors import ConnectionFailedError, PeerError, PiBenchError
from pi_bench.session import handshake
from pi_bench.session.handshake import ClientRequirements, Offer, greet_as_client, greet_as_server

from .conftest import Both, Channels


def digest_of(program: bytes) -> str:
    return hashlib.sha256(program).hexdigest()


PROGRAM = b"a public program" * 10_000
OFFER = Offer(
    "toy",
    "windowed",
    digest_of(PROGRAM),
    PROGRAM,
    {"label_chunk": 3, "sign_drop": 2},
    ahead=4,
    constants={"prices": "00ff"},
)


def greet(
    channels: Channels, both: Both, requirements: ClientRequirements, offer: Offer = OFFER
) -> tuple[Any, Any]:
    return both(
        lambda: greet_as_client(channels[0], requirements, digest_of),
        lambda: greet_as_server(channels[1], offer),
    )


def test_both_sides_agree(channels: Channels, both: Both) -> None:
    client, server = greet(channels, both, ClientRequirements("toy", "windowed", OFFER.digest))
    assert client == server
    assert client.offer == OFFER
    assert len(client.binding) == 32
    assert client.session_id != 0


def test_sessions_differ(channels: Channels, both: Both) -> None:
    first, _ = greet(channels, both, ClientRequirements())
    second, _ = greet(channels, both, ClientRequirements())
    assert first.session_id != second.session_id
    assert first.binding != second.binding


@pytest.mark.parametrize(
    "options",
    [None, 3, {"chunk": True}, {"chunk": 1.5}, {"chunk": None}, {"chunk": "x\n"}, {"chunk": 1 << 63}],
)
def test_options_of_another_type_are_refused(channels: Channels, both: Both, options: Any) -> None:
    offer = HELLO | {
        "nonce": "00" * 32,
        "protocol": "toy",
        "mode": "exact",
        "digest": "00",
        "options": options,
    }

    def server() -> None:
        handshake._receive(channels[1], 0, 5, handshake._HELLO_END)
        handshake._send(channels[1], 0, offer)
        handshake._receive(channels[1], 1, 5)

    client, at_server = both(lambda: greet_as_client(channels[0], ClientRequirements(), digest_of), server)
    word = "chunk" if isinstance(options, dict) else "options"
    assert isinstance(client, PeerError) and word in str(client) and word in str(at_server), at_server


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("ahead", value) for value in (None, 0, 17, -1, True, 2.0, "2")),
        *(("constants", value) for value in (None, [], {"prices": 3}, {"prices": ""}, {"prices": "x\n"})),
        ("constants", {"prices": "x" * 200}),
        ("constants", {str(number): "00" for number in range(33)}),
    ],
)
def test_an_offer_out_of_its_bounds_is_refused(
    channels: Channels, both: Both, field: str, value: Any
) -> None:
    """No number of inferences above the bound gets as far as memory for them."""
    offer = HELLO | OFFER.as_meta() | {field: value}

    def server() -> None:
        handshake._receive(channels[1], 0, 5, handshake._HELLO_END)
        handshake._send(channels[1], 0, offer)
        handshake._receive(channels[1], 1, 5)

    client, at_server = both(lambda: greet_as_client(channels[0], ClientRequirements(), digest_of), server)
    word = "prices" if isinstance(value, dict) and len(value) == 1 else field
    assert isinstance(client, PeerError) and word in str(client) and word in str(at_server), at_server


@pytest.mark.parametrize(("max_ahead", "accepted"), [(None, True), (4, True), (3, False), (1, False)])
def test_a_client_bounds_the_inferences_of_an_offline_phase(
    channels: Channels, both: Both, max_ahead: int | None, accepted: bool
) -> None:
    """Before it receives or plans the program, and the server learns the reason."""
    programs: list[bytes] = []

    def digest_of_program(data: bytes) -> str:
        programs.append(data)
        return digest_of(data)

    client, server = both(
        lambda: greet_as_client(channels[0], ClientRequirements(max_ahead=max_ahead), digest_of_program),
        lambda: greet_as_server(channels[1], OFFER),
    )
    assert bool(programs) == accepted
    for outcome in (client, server):
        if accepted:
            assert outcome.offer == OFFER
        else:
            assert isinstance(outcome, PeerError)
            assert "prepares 4 inferences per offline phase" in str(outcome)
            assert f"accepts at most {max_ahead} (--max-ahead)" in str(outcome)


@pytest.mark.parametrize(
    "change",
    [
        *({"options": options} for options in ({"label_chunk": 4, "sign_drop": 2}, {"label_chunk": 3}, {})),
        *({"ahead": 2}, {"constants": {"prices": "00"}}),
    ],
)
def test_the_binding_covers_the_offer(change: dict[str, Any]) -> None:
    other = dataclasses.replace(OFFER, **change)
    first, second = (handshake._agree(b"c" * 32, b"s" * 32, offer) for offer in (OFFER, other))
    assert first.binding != second.binding


@pytest.mark.parametrize(
    ("requirements", "word"),
    [
        (
            ClientRequirements(protocol="delphi"),
            "protocol: the client insists on delphi, the server offers toy",
        ),
        (ClientRequirements(mode="exact"), "mode: the client insists on exact, the server offers windowed"),
        (
            ClientRequirements(digest="00ff"),
            "network digest: the client expects 00ff, the server",
        ),
    ],
)
def test_disagreement_is_named_on_both_sides(
    channels: Channels, both: Both, requirements: ClientRequirements, word: str
) -> None:
    for error in greet(channels, both, requirements):
        assert isinstance(error, PeerError)
        assert word in str(error)


def test_another_version_is_named_on_both_sides(
    channels: Channels, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    def client() -> None:
        meta = {"version": "9.9", "nonce": "00" * 32, "protocol": None, "mode": None, "digest": None}
        handshake._send(channels[0], 0, meta)
        handshake._receive(channels[0], 0, 5)

    at_client, at_server = both(client, lambda: greet_as_server(channels[1], OFFER))
    for error in (at_client, at_server):
        assert isinstance(error, PeerError)
        assert "9.9" in str(error) and pi_bench.__version__ in str(error)


@pytest.mark.parametrize("other", [None, 1, 2, 4, True, "3"])
def test_another_format_is_named_on_both_sides(channels: Channels, both: Both, other: Any) -> None:
    """None is a build from before the handshake had a format."""
    hello = {name: value for name, value in HELLO.items() if name != "format"}
    if other is not None:
        hello["format"] = other

    def client() -> None:
        handshake._send(channels[0], 0, hello, handshake._HELLO_END)
        handshake._receive(channels[0], 0, 5)

    at_client, at_server = both(client, lambda: greet_as_server(channels[1], OFFER))
    for error in (at_client, at_server):
        assert isinstance(error, PeerError) and "of the handshake, this one 3" in str(error)


def test_program_that_is_not_the_announced_one(channels: Channels, both: Both) -> None:
    client, server = greet(channels, both, ClientRequirements(), dataclasses.replace(OFFER, digest="beef"))
    assert "announced the digest beef" in str(client)
    assert "announced the digest beef" in str(server)


def test_program_that_does_not_parse(channels: Channels, both: Both) -> None:
    def refuse(program: bytes) -> str:
        raise PeerError("operator 3 has no source")

    client, server = both(
        lambda: greet_as_client(channels[0], ClientRequirements(), refuse),
        lambda: greet_as_server(channels[1], OFFER),
    )
    assert "operator 3" in str(client) and "operator 3" in str(server)


def test_silent_client(channels: Channels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "HELLO_TIMEOUT_S", 0.2)
    with pytest.raises(ConnectionFailedError, match=r"0\.2 s"):
        greet_as_server(channels[1], OFFER)


def test_a_client_waits_for_its_turn_as_long_as_its_time_out(
    channels: Channels, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than any step of a handshake may take; it hears that it waits."""
    for name in ("HANDSHAKE_TIMEOUT_S", "HELLO_TIMEOUT_S", "WAIT_NOTICE_S"):
        monkeypatch.setattr(handshake, name, 0.2)
    notices = []

    def late() -> Any:
        time.sleep(1)
        return greet_as_server(channels[1], OFFER)

    client, server = both(
        lambda: greet_as_client(
            channels[0], ClientRequirements(), digest_of, lambda: notices.append("waiting")
        ),
        late,
    )
    assert client == server
    assert notices == ["waiting"]


def test_the_digest_may_be_its_beginning(channels: Channels, both: Both) -> None:
    client, server = greet(channels, both, ClientRequirements(digest=OFFER.digest[:16]))
    assert client == server
    assert client.offer.digest == OFFER.digest


def frame(payload: bytes, number: int = 0) -> FrameHeader:
    return FrameHeader(FrameKind.HANDSHAKE, 0, 0, NO_STEP, number, 0, len(payload))


def test_oversized_hello(channels: Channels, both: Both) -> None:
    payload = bytes(handshake.MAX_HANDSHAKE_BYTES + 1)
    channels[0].send(frame(payload), [memoryview(payload)])
    with pytest.raises(PeerError, match="4097 bytes where at most 4096"):
        greet_as_server(channels[1], OFFER)


HELLO = {
    "version": pi_bench.__version__,
    "format": handshake.FORMAT,
    "nonce": "00" * 32,
    "protocol": None,
    "mode": None,
    "options": None,
    "digest": None,
    "ahead": None,
    "constants": None,
}
JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=200) | st.lists(st.integers(), max_size=3)


class OneMessage:
    """A channel whose peer has sent one message and nothing more."""

    timeout_s = 1.0

    def __init__(self, payload: bytes) -> None:
        self.payload: bytes | None = payload
        self.aborted = ""

    def receive_bounded(self, expected: FrameHeader, max_bytes: int, deadline_s: float) -> bytearray:
        if self.payload is None:
            raise ConnectionFailedError("nothing more")
        payload, self.payload = self.payload, None
        return bytearray(payload)

    def send(self, header: FrameHeader, views: Any) -> None:
        pass

    def abort(self, session_id: int, reason: str) -> None:
        self.aborted = reason


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(sorted(HELLO)), JSON))
def test_hostile_fields(changes: dict[str, Any]) -> None:
    greetings: tuple[tuple[Callable[[Any], Any], bytes], ...] = (
        (lambda channel: greet_as_server(channel, OFFER), handshake._HELLO_END),
        (lambda channel: greet_as_client(channel, ClientRequirements(), digest_of), b""),
    )
    for greeting, end in greetings:
        channel = OneMessage(codec.encode({**HELLO, **changes}, {}) + end)
        with pytest.raises(PiBenchError):
            greeting(channel)
        assert channel.aborted


@given(st.binary(max_size=300))
def test_hostile_bytes(payload: bytes) -> None:
    channel = OneMessage(payload)
    with pytest.raises(PeerError, match="malformed"):
        greet_as_server(channel, OFFER)  # type: ignore[arg-type]


def test_wrong_confirmation(channels: Channels, both: Both) -> None:
    def client() -> None:
        handshake._send(channels[0], 0, HELLO, handshake._HELLO_END)
        handshake._receive(channels[0], 0, 5)
        channels[0].receive_bounded(frame(PROGRAM, 1), len(PROGRAM), 5)
        handshake._send(channels[0], 1, {"digest": OFFER.digest, "session": "00"})

    _, error = both(client, lambda: greet_as_server(channels[1], OFFER))
    assert isinstance(error, PeerError)
    assert "confirmed another session" in str(error)


def test_every_byte_of_a_greeting_is_fixed(channels: Channels, both: Both) -> None:
    """Padding, spaces and reserved fields included: a changed bit is refused, in the header too."""
    payload = codec.encode(HELLO, {}) + handshake._HELLO_END
    padding = payload.index(b"}", payload.rindex(b'"version"')) + 2
    assert payload[padding] == 0
    for changed in (
        payload[:padding] + b"\1" + payload[padding + 1 :],
        payload[:6] + b"\1" + payload[7:],
        payload[:-1] + b"\r",
        payload + b"\0",
        codec.encode(HELLO, {}),
    ):
        with pytest.raises(PeerError, match="malformed"):
            greet_as_server(OneMessage(changed), OFFER)  # type: ignore[arg-type]

    def client() -> None:
        header = handshake._header(0, len(payload))._replace(depth=1)
        channels[0].send(header, [memoryview(payload)])

    _, error = both(client, lambda: greet_as_server(channels[1], OFFER))
    assert "1 dependent messages where only 0 is possible" in str(error)
