"""What `--merge` did, as JSON values and as text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pi_bench.network.fusion import Fusion
from pi_bench.network.fusion.plan import Cost
from pi_bench.report.quantities import byte_count, seconds


def merging_fields(merging: Fusion | None) -> dict[str, Any] | None:
    """None where merging was not asked for."""
    if merging is None:
        return None
    return {
        "operators": [{"name": name, "layers": list(layers)} for name, layers in merging.values.items()],
        "dissolved": list(merging.dissolved),
        "kept": [_kept_fields(name, cost, merging.after) for name, cost in merging.kept.items()],
        "predicted": {
            "online_s": {"before": merging.before.online_s, "after": merging.after.online_s},
            "offline_bytes": {"before": merging.before.offline_bytes, "after": merging.after.offline_bytes},
        },
    }


def _kept_fields(name: str, cost: Cost, after: Cost) -> dict[str, Any]:
    """Why a value is not dissolved: by how much the plan would grow; None where nothing can hold the merged
    layer."""
    possible = math.isfinite(cost.online_s)
    return {
        "name": name,
        "online_s": cost.online_s - after.online_s if possible else None,
        "offline_bytes": cost.offline_bytes - after.offline_bytes if possible else None,
    }


def kept_lines(fields: Mapping[str, Any] | None) -> list[str]:
    """Why layers stay apart between which no ReLU stands, one line each."""
    return (
        [] if fields is None else [f"not merged at {row['name']}: {_reason(row)}" for row in fields["kept"]]
    )


def _reason(row: Mapping[str, Any]) -> str:
    if row["online_s"] is None:
        return "the merged layer fits no encryption"
    grown = []
    if row["online_s"] > 0:
        grown.append(f"{seconds(row['online_s'])} more online")
    if row["offline_bytes"] > 0:
        grown.append(f"{byte_count(row['offline_bytes'])} more offline")
    return " and ".join(grown) if grown else "nothing would be saved"


def merging_lines(fields: Mapping[str, Any] | None) -> list[str]:
    if fields is None:
        return []
    if not fields["operators"]:
        return ["merging: nothing would be gained"]
    online, offline = fields["predicted"]["online_s"], fields["predicted"]["offline_bytes"]
    return [
        *(f"merged into {row['name']}: {', '.join(row['layers'])}" for row in fields["operators"]),
        f"{len(fields['dissolved'])} truncations with their rounds fewer; the linear part is predicted to "
        f"take {online['after'] / online['before']:.0%} of the online time and "
        f"{offline['after'] / offline['before']:.0%} of the offline bytes "
        f"({byte_count(round(offline['after']))}) that it takes unmerged",
    ]
