"""Names the protocol that a peer speaks in place of pi-bench, from its first bytes."""

from __future__ import annotations

_TLS_VERSION = 3
_TLS_ALERT, _TLS_HANDSHAKE = 21, 22
_TEXTS = {
    b"HTTP": "HTTP",
    b"<!DO": "HTTP",  # a page without a header, as some servers answer to a request that is none
    b"<htm": "HTTP",
    b"GET ": "HTTP",
    b"POST": "HTTP",
    b"PUT ": "HTTP",
    b"HEAD": "HTTP",
    b"OPTI": "HTTP",
    b"CONN": "HTTP",
    b"PRI ": "HTTP",
    b"SSH-": "SSH",
    b"220 ": "SMTP or FTP",
    b"220-": "SMTP or FTP",
}


def foreign_protocol(first: bytes) -> str | None:
    """Returns the name of a well-known protocol that begins with `first` (at least 4 bytes), or None.

    >>> foreign_protocol(b"SSH-2.0-OpenSSH_9.6")
    'SSH'
    >>> foreign_protocol(b"PIBF") is None
    True
    """
    if first[0] in (_TLS_ALERT, _TLS_HANDSHAKE) and first[1] == _TLS_VERSION:
        return "TLS"
    return _TEXTS.get(first[:4])
