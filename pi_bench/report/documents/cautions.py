"""A caution: a circumstance of a measurement that makes its figures doubtful."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pi_bench.report.documents.fields import Part

Code = Literal[
    "load",
    "steal",
    "throttled",
    "swap",
    "few-runs",
    "shared-cores",
    "quota",
    "slow-link",
    "slow-machine",
    "busy-limits",
]


class Caution(Part, frozen=True, kw_only=True):
    """Describes one circumstance in a sentence that says what to do about it."""

    code: Annotated[Code, Meta(description="for programs; the text is for people")]
    text: str


Cautions = Annotated[
    tuple[Caution, ...],
    Meta(description="circumstances of the machine during the measurement that make its figures doubtful"),
]
