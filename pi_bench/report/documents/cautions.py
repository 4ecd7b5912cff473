"""A caution: a circumstance of a measurement that makes its figures doubtful."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pi_bench.report.documents.fields import DocumentPart

Code = Literal[
    "load",
    "steal",
    "throttled",
    "swap",
    "few-runs",
    "shared-cores",
    "quota",
    "slow-link",
    "long-round-trip",
    "slow-machine",
    "busy-limits",
]

Phase = Literal["set-up", "offline", "online"]

CAUTION_WORDS: dict[str, str] = {
    "load": "other programs took processor time",
    "steal": "the hypervisor took processor time",
    "throttled": "the processor slowed down",
    "swap": "the system swapped memory",
    "few-runs": "too few runs",
    "shared-cores": "both parties shared cores",
    "quota": "a control group stopped the processes",
    "slow-link": "the emulated link carried fewer bits per second than --link asks for",
    "long-round-trip": "round trips of the emulated link took longer than --link asks for",
    "slow-machine": "the machine was slower than before",
    "busy-limits": "the machine was busy when its limits were measured",
}
"""A few words for each code, for tables of many results."""


class Caution(DocumentPart, frozen=True, kw_only=True):
    """Describes one circumstance in a sentence that says what to do about it."""

    code: Annotated[Code, Meta(description="for programs; the text is for people")]
    text: str
    phases: Annotated[
        tuple[Phase, ...], Meta(description="those whose figures it makes doubtful; empty for all figures")
    ] = ()


Cautions = Annotated[
    tuple[Caution, ...],
    Meta(description="circumstances of the machine during the measurement that make its figures doubtful"),
]
