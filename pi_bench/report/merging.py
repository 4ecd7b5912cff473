"""What `--merge` did, as JSON values and as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pi_bench.network.merging import Merging
from pi_bench.report.quantities import byte_count


def merging_fields(merging: Merging | None) -> dict[str, Any] | None:
    """None where merging was not asked for."""
    if merging is None:
        return None
    return {
        "operators": [{"name": name, "layers": list(layers)} for name, layers in merging.values.items()],
        "dissolved": list(merging.dissolved),
        "predicted": {
            "online_s": {"before": merging.before.online_s, "after": merging.after.online_s},
            "offline_bytes": {"before": merging.before.offline_bytes, "after": merging.after.offline_bytes},
        },
    }


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
