import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_bench.channel.frame import FRAME_VERSION, HEADER_BYTES, MAGIC, FrameHeader, FrameKind
from pi_bench.errors import PeerError

HEADER = FrameHeader(FrameKind.ONLINE, 0x0123456789ABCDEF, 7, 12, 3, 2, 4096)

headers = st.builds(
    FrameHeader,
    st.sampled_from(FrameKind),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
)


@given(headers)
def test_decode_inverts_encode(header: FrameHeader) -> None:
    data = header.encode()
    assert len(data) == HEADER_BYTES
    assert FrameHeader.decode(data) == header


def test_layout_is_fixed() -> None:
    assert HEADER.encode().hex() == (
        "5049424601000500efcdab8967452301070000000c000300020000000010000000000000"
    )


@given(st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES))
def test_hostile_bytes_are_a_peer_error_or_a_header(data: bytes) -> None:
    try:
        header = FrameHeader.decode(data)
    except PeerError:
        return
    assert header.encode() == data


@given(st.binary(min_size=HEADER_BYTES - 6, max_size=HEADER_BYTES - 6))
def test_hostile_bytes_behind_a_right_prefix(rest: bytes) -> None:
    data = MAGIC + FRAME_VERSION.to_bytes(2, "little") + rest
    try:
        assert FrameHeader.decode(data).encode() == data
    except PeerError as error:
        assert "unknown kind" in str(error)


def test_another_version_names_both() -> None:
    data = bytearray(HEADER.encode())
    data[4] = 9
    with pytest.raises(PeerError, match="version 9, this one version 1"):
        FrameHeader.decode(data)


FOREIGN = [
    (b"HTTP/1.1 400 Bad Request", "speaks HTTP"),
    (b"GET / HTTP/1.0", "speaks HTTP"),
    (b"SSH-2.0-OpenSSH_9.6", "speaks SSH"),
    (b"\x15\x03\x01\x00\x02\x02\x16", "speaks TLS"),
    (b"\x16\x03\x01\x02\x00\x01", "speaks TLS"),
    (b"\x00\x01\x02\x03", "does not speak pi-bench"),
]
"""First bytes of other protocols, all shorter than a header, and the words of the refusal."""


@pytest.mark.parametrize(("first", "words"), FOREIGN)
def test_another_protocol_is_named(first: bytes, words: str) -> None:
    with pytest.raises(PeerError, match=words):
        FrameHeader.decode(first.ljust(HEADER_BYTES))


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("kind", FrameKind.OFFLINE, "kind offline came where a frame of kind online was due"),
        ("session_id", 5, "session 0000000000000005 came where session 0123456789abcdef"),
        ("inference_id", 8, "inference 8 came where inference 7"),
        ("step", 0xFFFF, "step none came where step 12"),
        ("slice", 4, "message number 4 came where message number 3"),
        ("payload_bytes", 4097, "4097 came where a payload in bytes of 4096"),
    ],
)
def test_mismatch_names_both_values(field: str, value: int, text: str) -> None:
    with pytest.raises(PeerError, match=text):
        HEADER._replace(**{field: value}).require(HEADER)


def test_depth_is_not_compared() -> None:
    HEADER._replace(depth=99).require(HEADER)
