"""The result of `pi-bench compare`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from pi_bench.report.documents.cautions import Cautions
from pi_bench.report.documents.fields import (
    Above0,
    Arguments,
    Count,
    Digest,
    Document,
    DocumentPart,
    Interrupted,
    Machine,
    Options,
    Positive,
    SchemaVersion,
    Seconds,
)

FloorSeconds = Annotated[
    Above0 | None, Meta(description="floor on the machine that measured; null without limits")
]
CONFIDENCE = 0.99
"""The confidence of the interval. With 95 %, one of twenty equal networks would seem to differ."""

Verdict = Literal["faster", "slower", "no difference shown", "no verdict"]


class SessionTimes(DocumentPart, frozen=True, kw_only=True):
    """Holds the timed runs of one session of the two parties, in order."""

    online_s: list[Seconds]
    offline_s: list[Seconds]


class Side(DocumentPart, frozen=True, kw_only=True):
    """Describes one side of a comparison and keeps all of its samples."""

    name: Annotated[str, Meta(description="unique among the sides")]
    source: Annotated[
        Literal["measured", "stored"], Meta(description="measured by this command, or a kept result")
    ]
    network: str
    digest: Digest
    protocol: str
    mode: str
    options: Options
    link: str
    threads: Positive
    relu_count: Count
    online_bytes: Annotated[int, Meta(ge=0, description="both directions")]
    offline_bytes: Annotated[int, Meta(ge=0, description="both directions")]
    rounds: Annotated[float, Meta(ge=0)]
    verified: Annotated[bool | None, Meta(description="null where a stored run was not verified")]
    sessions: list[SessionTimes]
    online_floor_s: FloorSeconds = None
    offline_floor_s: FloorSeconds = None
    input_count: Annotated[int, Meta(ge=1, description="inputs that one run answers together")] = 1


class Ratio(DocumentPart, frozen=True, kw_only=True):
    """Compares a side with the first one."""

    side: str
    base: str
    phase: Literal["online", "offline"]
    ratio: Annotated[
        Above0 | None, Meta(description="time of the side divided by that of the base; 2: slower")
    ]
    interval: Annotated[
        tuple[Above0, Above0] | None, Meta(description="confidence 99 %; null with too few runs")
    ]
    verdict: Annotated[
        Verdict, Meta(description="faster or slower where the whole interval lies on one side of 1")
    ]
    method: Annotated[str, Meta(description="how the interval was computed")]
    relative_to_floor: Annotated[
        bool, Meta(description="whether the times were divided by the floors of their sides first")
    ] = False


class ComparisonResult(Document, frozen=True, kw_only=True):
    """Result of `pi-bench compare`: all samples of each side, and the ratio of each to the first."""

    schema_version: SchemaVersion
    sides: Annotated[list[Side], Meta(min_length=2)]
    ratios: list[Ratio]
    differences: Annotated[
        tuple[str, ...], Meta(description="differences between the sides apart from the compared ones")
    ]
    interrupted: Interrupted
    environment: Machine
    arguments: Arguments
    warnings: tuple[str, ...] = ()
    cautions: Cautions = ()

    def table(self) -> str:
        """Returns the text that `pi-bench compare` prints."""
        from pi_bench.report.comparison import render_comparison

        return render_comparison(self)

    def to_pandas(self) -> Any:
        """Returns a pandas frame with one row per run: side, session, online and offline seconds.

        Raises:
            EnvironmentUnsupportedError: pandas is not installed.
        """
        from pi_bench.report.notebook import run_frame

        return run_frame(self.sides)

    def _short(self) -> dict[str, Any]:
        return {
            "sides": [side.name for side in self.sides],
            "verdicts": [ratio.verdict for ratio in self.ratios],
        }
