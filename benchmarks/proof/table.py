"""Records of networks as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import table
from benchmarks.proof.measured_network import DRAWN
from pi_bench.report.documents.cautions import CAUTION_WORDS
from pi_bench.report.quantities import seconds

Record = Mapping[str, Any]

_HEADER = (
    *(
        "network",
        "protocol",
        "parameters",
        "ReLUs",
        "the paper's",
        "gadgets",
        "truncations",
        "products",
        "MACs",
    ),
    *(
        "online",
        "quartiles",
        "offline",
        "online up / down",
        "offline up / down",
        "rounds",
        "peak memory, client / server",
    ),
    "verification",
)


def markdown(records: Sequence[Record]) -> str:
    """Returns a line on the machine, and one row per network and protocol."""
    lines = [*_machines(records), "", *table(_HEADER, [_row(record) for record in records])]
    if any(record["masks"] == DRAWN for record in records):
        lines += ["", "\\* Masks drawn at random: latency depends on how many ReLUs they keep, not on which."]
    codes = sorted({code for record in records for code in record["cautions"].split()})
    if codes:
        words = ", ".join(CAUTION_WORDS[code] for code in codes)
        lines += ["", f"† While the row was measured: {words}. Its times are too long."]
    return "\n".join(lines)


def _row(record: Record) -> tuple[str, ...]:
    online = record["online_s"]
    paper = record["paper_relu_count"]
    return (
        record["title"] + " \\*" * (record["masks"] == DRAWN) + " †" * bool(record["cautions"]),
        record["protocol"],
        f"{record['parameter_count']:,}",
        f"{record['relu_count']:,}",
        f"{paper} ({record['source']})" if paper else f"- ({record['source']})",
        f"{record['garbled_relu_count']:,}",
        f"{record['truncation_count']:,}" if record["truncation_count"] else "-",
        f"{record['multiplication_count']:,}" if record["multiplication_count"] else "-",
        f"{record['mac_count'] / 1e6:,.0f} M",
        seconds(online["median"]),
        f"{seconds(online['q1'])} to {seconds(online['q3'])}",
        seconds(record["offline_s"]),
        _megabytes(record["online_bytes"]),
        _megabytes(record["offline_bytes"]),
        f"{record['comm_round_count']:g}",
        " / ".join(f"{record['peak_memory_bytes'][party] / 1e9:.2f}" for party in ("client", "server"))
        + " GB",
        _verdict(record),
    )


def _megabytes(sent: Mapping[str, int]) -> str:
    up, down = (sent[way] / 1e6 for way in ("client_to_server", "server_to_client"))
    return f"{up:,.1f} / {down:,.1f} MB"


def _verdict(record: Record) -> str:
    if not record["verified"]:
        wrong, outside = record["mismatch_count"], record["out_of_range_count"]
        return f"**failed**: {wrong:,} wrong, {outside:,} out of range"
    return f"passed, {record['compared_count']:,} values, at most {record['max_ulp_error']} ulp"


def _machines(records: Sequence[Record]) -> list[str]:
    """Says where and when networks were measured, in as few lines as there are machines and commits."""
    found: dict[tuple[object, ...], list[str]] = {}
    for record in records:
        machine = record["machine"]
        key = (*machine.values(), record["commit"], record["mode"])
        found.setdefault(key, []).append(record["time"])
    return [
        f"{cpu}, {cores} cores, {isa}, {mode} mode, commit {commit}, "
        f"{min(times)[:16]} to {max(times)[:16]} UTC; rows: {len(times)}."
        for (cpu, cores, isa, commit, mode), times in found.items()
    ]


def as_csv(records: Sequence[Record]) -> str:
    """Returns one line per network, with nested values by names joined with dots."""
    rows = [_flat(record) for record in records]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, part in value.items():
        flat |= _flat(part, f"{prefix}{name}.") if isinstance(part, Mapping) else {prefix + name: part}
    return flat
