"""Describes the linear layers that `--fuse` fused, as part of a document and as text."""

from __future__ import annotations

import math

from pi_bench.network.fusion import Cost, Fusion
from pi_bench.report.documents import fields
from pi_bench.report.documents.fields import BeforeAfter, FusedOperator, FusionPrediction, KeptValue
from pi_bench.report.quantities import byte_count, is_shown, percent, seconds


def fusion_part(fusion: Fusion | None) -> fields.Fusion | None:
    """Describes a plan of fusion; None where fusion was not asked for.

    >>> fusion_part(None) is None
    True
    """
    if fusion is None:
        return None
    before, after = fusion.before, fusion.after
    return fields.Fusion(
        operators=[FusedOperator(name=name, layers=list(layers)) for name, layers in fusion.values.items()],
        dissolved=list(fusion.dissolved),
        kept=[_kept(name, cost, after) for name, cost in fusion.kept.items()],
        predicted=FusionPrediction(
            online_s=BeforeAfter(before=before.online_s, after=after.online_s),
            offline_bytes=BeforeAfter(before=before.offline_bytes, after=after.offline_bytes),
        ),
        planned_link=fusion.planned_link,
    )


def _kept(name: str, cost: Cost, after: Cost) -> KeptValue:
    """Tells by how much the plan would grow without a value; None where no operator can hold the layer."""
    possible = math.isfinite(cost.online_s)
    return KeptValue(
        name=name,
        online_s=cost.online_s - after.online_s if possible else None,
        offline_bytes=cost.offline_bytes - after.offline_bytes if possible else None,
    )


def kept_lines(fusion: fields.Fusion | None) -> list[str]:
    """Says, one line each, why layers were not fused although no ReLU separates them.

    >>> kept_lines(None)
    []
    """
    return [] if fusion is None else [f"not fused at {row.name}: {_reason(row)}" for row in fusion.kept]


def _reason(row: KeptValue) -> str:
    if row.online_s is None or row.offline_bytes is None:
        return "the fused layer fits no encryption"
    grown = []
    if is_shown(row.online_s):
        grown.append(f"{seconds(row.online_s)} more online")
    if row.offline_bytes > 0:
        grown.append(f"{byte_count(round(row.offline_bytes))} more offline")
    return " and ".join(grown) if grown else "nothing would be saved"


def fusion_lines(fusion: fields.Fusion | None) -> list[str]:
    """Names the fused operators and the saving that is predicted.

    >>> fusion_lines(None)
    []
    """
    if fusion is None:
        return []
    if not fusion.operators:
        return ["fusion: nothing would be gained"]
    online, offline = fusion.predicted.online_s, fusion.predicted.offline_bytes
    return [
        *(f"fused into {row.name}: {', '.join(row.layers)}" for row in fusion.operators),
        f"{len(fusion.dissolved)} truncations with their rounds fewer; the linear part is predicted to "
        f"take {percent(online.after / online.before)} of the online time and "
        f"{percent(offline.after / offline.before)} of the offline bytes "
        f"({byte_count(round(offline.after))}) that it takes unfused",
    ]
