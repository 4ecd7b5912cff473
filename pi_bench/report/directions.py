"""Sums bytes by the direction in which they were sent."""

from __future__ import annotations

from collections.abc import Iterable

from pi_bench.protocol.span import Span
from pi_bench.report.documents.fields import Directions


def directions(client_spans: Iterable[Span], unit: str) -> Directions:
    """Sums the bytes of the client's spans per direction.

    Args:
        unit: "bytes" for payloads, or "wire_bytes".

    >>> spans = Span(2, "ot", sent_bytes=10, received_bytes=3), Span(2, "he", sent_bytes=5)
    >>> directions(spans, "bytes")
    Directions(client_to_server=15, server_to_client=3)
    """
    spans = list(client_spans)
    return Directions(
        client_to_server=sum(getattr(span, f"sent_{unit}") for span in spans),
        server_to_client=sum(getattr(span, f"received_{unit}") for span in spans),
    )
