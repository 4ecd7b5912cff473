"""The answer of a server that `pi-bench infer` prints."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pi_bench.report.documents.fields import (
    Arguments,
    Digest,
    DocumentPart,
    Notes,
    Options,
    SchemaVersion,
    Seconds,
)
from pi_bench.report.documents.latency import Outputs


class ServedAnswer(DocumentPart, frozen=True, kw_only=True):
    """Holds the private answer of `pi-bench serve` to the input of one client."""

    schema_version: SchemaVersion
    name: str
    digest: Digest
    protocol: str
    protocol_title: str
    secure: Annotated[bool, Meta(description="false: for tests and overhead only, protects nothing")]
    mode: str
    options: Options
    outputs: Outputs
    verified: Annotated[
        Literal[False],
        Meta(
            description="false: a verification would need the server's shares, which would reveal its weights"
        ),
    ]
    verification: Annotated[
        str, Meta(description="why the answer was not verified, and which commands verify answers")
    ]
    set_up_s: Annotated[Seconds, Meta(description="keys and base OTs, without connection and handshake")]
    offline_s: Seconds
    online_s: Seconds
    notes: Notes
    arguments: Arguments
