"""What `--merge` did, as part of a document and as text."""

from __future__ import annotations

import math

from pi_bench.network.fusion import Fusion
from pi_bench.network.fusion.plan import Cost
from pi_bench.report.documents import fields
from pi_bench.report.documents.fields import BeforeAfter, KeptValue, MergedOperator, MergingPrediction
from pi_bench.report.quantities import byte_count, seconds


def merging_part(merging: Fusion | None) -> fields.Merging | None:
    """Describes a plan of merging; None where merging was not asked for.

    >>> merging_part(None) is None
    True
    """
    if merging is None:
        return None
    before, after = merging.before, merging.after
    return fields.Merging(
        operators=[MergedOperator(name=name, layers=list(layers)) for name, layers in merging.values.items()],
        dissolved=list(merging.dissolved),
        kept=[_kept(name, cost, after) for name, cost in merging.kept.items()],
        predicted=MergingPrediction(
            online_s=BeforeAfter(before=before.online_s, after=after.online_s),
            offline_bytes=BeforeAfter(before=before.offline_bytes, after=after.offline_bytes),
        ),
    )


def _kept(name: str, cost: Cost, after: Cost) -> KeptValue:
    """Tells by how much the plan would grow without a value; None where no operator can hold the layer."""
    possible = math.isfinite(cost.online_s)
    return KeptValue(
        name=name,
        online_s=cost.online_s - after.online_s if possible else None,
        offline_bytes=cost.offline_bytes - after.offline_bytes if possible else None,
    )


def kept_lines(merging: fields.Merging | None) -> list[str]:
    """Says, one line each, why layers stay apart although no ReLU stands between them.

    >>> kept_lines(None)
    []
    """
    return [] if merging is None else [f"not merged at {row.name}: {_reason(row)}" for row in merging.kept]


def _reason(row: KeptValue) -> str:
    if row.online_s is None or row.offline_bytes is None:
        return "the merged layer fits no encryption"
    grown = []
    if row.online_s > 0:
        grown.append(f"{seconds(row.online_s)} more online")
    if row.offline_bytes > 0:
        grown.append(f"{byte_count(round(row.offline_bytes))} more offline")
    return " and ".join(grown) if grown else "nothing would be saved"


def merging_lines(merging: fields.Merging | None) -> list[str]:
    """Names the merged operators and what merging is predicted to save.

    >>> merging_lines(None)
    []
    """
    if merging is None:
        return []
    if not merging.operators:
        return ["merging: nothing would be gained"]
    online, offline = merging.predicted.online_s, merging.predicted.offline_bytes
    return [
        *(f"merged into {row.name}: {', '.join(row.layers)}" for row in merging.operators),
        f"{len(merging.dissolved)} truncations with their rounds fewer; the linear part is predicted to "
        f"take {online.after / online.before:.0%} of the online time and "
        f"{offline.after / offline.before:.0%} of the offline bytes "
        f"({byte_count(round(offline.after))}) that it takes unmerged",
    ]
