"""Sums bytes by the direction in which they were sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pi_bench.protocol import Party
from pi_bench.protocol.script import Purpose
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


def predicted_directions(sent: Mapping[Party, int]) -> Directions:
    """Returns predicted bytes by sender as bytes by direction.

    >>> predicted_directions({Party.SERVER: 3})
    Directions(client_to_server=0, server_to_client=3)
    """
    return Directions(client_to_server=sent.get(Party.CLIENT, 0), server_to_client=sent.get(Party.SERVER, 0))


def directions_by_purpose(sent: Mapping[Purpose, Mapping[Party, int]]) -> dict[str, Directions]:
    """Returns predicted bytes by the name of their purpose, in the order of `Purpose`.

    >>> list(directions_by_purpose({Purpose.TRUNCATION: {Party.CLIENT: 4}, Purpose.RELU: {Party.SERVER: 3}}))
    ['ReLUs', 'truncations without ReLU']
    """
    return {purpose.value: predicted_directions(sent[purpose]) for purpose in Purpose if purpose in sent}
