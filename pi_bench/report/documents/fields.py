"""Types and parts that several documents share: bounded numbers, bytes per direction, links, machines.

Names end in their unit: `_s` seconds, `_bytes` bytes, `_bits` bits, `_pct` percent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
NonNegative = Annotated[float, Meta(ge=0)]
Above0 = Annotated[float, Meta(gt=0)]
Seconds = NonNegative
Percent = Annotated[float, Meta(ge=0, le=100)]
Sizes = list[Positive]
Digest = Annotated[
    str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256 of the public program that both parties run")
]
Weights = Annotated[
    Literal["random", "given"] | None,
    Meta(
        description="where the weights come from, as the model file says. Random: drawn by the exporter, "
        "so that answers mean nothing. Given: read from a checkpoint or a network's file, or trained by "
        "pi-bench. null: unknown, as those that an exported module had on its own and `pi-bench export "
        "--own-weights` or `own_weights=` did not note"
    ),
]
UpperRelus = Annotated[
    int | None,
    Meta(
        description="ReLUs, contained in relu_count, that serve the upper bounds of clamps (ReLU6); null: "
        "unknown without the model file"
    ),
]
VERSION_MEANING = Meta(
    description="rises when a field changes its meaning or disappears; new fields do not raise it"
)
SchemaVersion = Annotated[Literal[1], VERSION_MEANING]
Options = Annotated[
    dict[str, int | str], Meta(description="the protocol's own options that the mode has, by name")
]


Arguments = Annotated[
    dict[str, Any],
    Meta(description="every option of the command, given or default; files without their folder"),
]
Notes = Annotated[
    tuple[str, ...],
    Meta(description="the protocol's notes on itself and on this program, such as which gadgets it uses"),
]
Interrupted = Annotated[
    bool,
    Meta(description="whether Ctrl-C or SIGTERM ended the command early; the counts say how much was done"),
]


class DocumentPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Is the base of every JSON object in a document: immutable, no unknown fields."""


class Document(DocumentPart, frozen=True, kw_only=True):
    """Is the base of the results that programs get: `print` shows the text of the command, `repr` one line.

    ```python
    def show(document: Document) -> None:
        print(document)
    ```
    """

    def table(self) -> str:
        """Returns the text that the command prints, in lines of any length."""
        raise NotImplementedError

    def _short(self) -> dict[str, Any]:
        """Returns the figures that `repr` shows, by name."""
        raise NotImplementedError

    def __str__(self) -> str:
        from pi_bench.report.text_width import wrapped

        return wrapped(self.table())

    def __repr__(self) -> str:
        figures = ", ".join(f"{name}={value!r}" for name, value in self._short().items())
        return f"<{type(self).__name__}: {figures}>"

    def _repr_html_(self) -> str:
        from pi_bench.report.notebook import text_as_html

        return text_as_html(self.table())


class Directions(DocumentPart, frozen=True, kw_only=True):
    """Counts bytes per direction. Payload bytes exclude frame headers; wire bytes include them."""

    client_to_server: Count
    server_to_client: Count

    @property
    def total(self) -> int:
        return self.client_to_server + self.server_to_client


class Times(DocumentPart, frozen=True, kw_only=True):
    """Divides a party's time into computing, sending and waiting."""

    compute_s: Seconds
    send_s: Annotated[float, Meta(ge=0, description="inside send and flush")]
    wait_s: Annotated[float, Meta(ge=0, description="inside receive, including the transfer")]


class BothTimes(DocumentPart, frozen=True, kw_only=True):
    """Holds the times of both parties and the bytes that they exchange."""

    client: Times
    server: Times
    bytes: Directions
    wire_bytes: Directions


class PerParty(DocumentPart, frozen=True, kw_only=True):
    """Holds one number of bytes per party."""

    client: Count
    server: Count


class SecondsPerParty(DocumentPart, frozen=True, kw_only=True):
    """Holds one duration per party."""

    client: Seconds
    server: Seconds


class Loopback(DocumentPart, frozen=True, kw_only=True, tag_field="kind", tag="loopback"):
    """Says that the parties talk over loopback, unshaped."""

    @property
    def name(self) -> str:
        """The name of the link. The JSON has the kind only."""
        return "loopback"


class Emulated(DocumentPart, frozen=True, kw_only=True, tag_field="kind", tag="emulated"):
    """Describes an emulated link as it was asked for."""

    name: str
    rtt_s: Seconds
    up_bits_per_s: Above0
    down_bits_per_s: Above0


class MeasuredLink(DocumentPart, frozen=True, kw_only=True):
    """Gives the delay and rates of a link, probed at the end of set-up."""

    rtt_s: Seconds
    up_bits_per_s: Above0
    down_bits_per_s: Above0


class Machine(DocumentPart, frozen=True, kw_only=True):
    """Describes the machine, the software and the time of a measurement."""

    time: Annotated[str, Meta(description="ISO 8601, with the offset from UTC")]
    system: str
    cpu_model: str
    core_count: Count
    usable_core_count: Count
    memory_bytes: Count
    instruction_set: str
    versions: dict[str, str]
    commit: str | None


class BeforeAfter(DocumentPart, frozen=True, kw_only=True):
    """Compares one quantity before and after fusion."""

    before: NonNegative
    after: NonNegative


class FusedOperator(DocumentPart, frozen=True, kw_only=True):
    """Names a linear operator and the model's weighted layers that it replaces."""

    name: str
    layers: list[str]


class KeptValue(DocumentPart, frozen=True, kw_only=True):
    """Names a value that stays although no ReLU follows it.

    The numbers tell by how much the linear part would grow if this value alone were dissolved too; null
    where no operator can hold the fused layer.
    """

    name: str
    online_s: float | None
    offline_bytes: float | None


class FusionPrediction(DocumentPart, frozen=True, kw_only=True):
    """Predicts the linear part before and after fusion, as the plan weighed it."""

    online_s: BeforeAfter
    offline_bytes: BeforeAfter


class Fusion(DocumentPart, frozen=True, kw_only=True):
    """Tells which linear layers `--fuse` fused, and which it left apart."""

    operators: list[FusedOperator]
    dissolved: Annotated[list[str], Meta(description="linear values that are no longer truncated or sent")]
    kept: list[KeptValue]
    predicted: FusionPrediction
    planned_link: Annotated[
        str | None,
        Meta(description="the link for which --fuse planned; null for loopback and in older results"),
    ] = None


FusionOrNull = Annotated[Fusion | None, Meta(description="null where --fuse was not asked for")]
