"""What the protocol of a run states about its security, as `latency` and `inspect` report it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pi_bench.report.documents.fields import Count, DocumentPart, NonNegative


class SecurityEstimate(DocumentPart, frozen=True, kw_only=True):
    """Estimates what it costs to break one assumption."""

    assumption: Annotated[str, Meta(description="what the adversary has to break")]
    bits: Annotated[float, Meta(ge=0, description="log2 of the cost of the best attack that was considered")]
    basis: Annotated[str, Meta(description="the attack, and how its cost is counted")]


class SecurityStatement(DocumentPart, frozen=True, kw_only=True):
    """Holds the adversary, the security and the parameters that the protocol states for a run."""

    adversary: Annotated[str, Meta(description="the adversary against whom the protocol is secure")]
    computational_bits: Annotated[NonNegative, Meta(description="bits of the weakest of the estimates")]
    statistical_bits: Annotated[
        Count, Meta(description="an unbounded adversary has an advantage of at most 2 to minus this")
    ]
    estimates: Annotated[
        list[SecurityEstimate],
        Meta(min_length=1, description="one per assumption, as the protocol gives them"),
    ]
    parameters: Annotated[
        dict[str, int | float | str],
        Meta(description="parameters of the cryptography, by the protocol's names: encryption, OTs, labels"),
    ]


SecurityOrNull = Annotated[
    SecurityStatement | None,
    Meta(description="null for a protocol that protects nothing, and in results of older versions"),
]
