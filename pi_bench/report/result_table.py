"""Writes results of `pi-bench latency` as rows of one table: one row per result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pi_bench.report.documents.cautions import CAUTION_WORDS
from pi_bench.report.documents.fields import Loopback
from pi_bench.report.documents.latency import Distribution, ProbedLink, Result
from pi_bench.report.quantities import byte_count, counted, middle_half_text, seconds
from pi_bench.report.table_formats import Table, TableColumn
from pi_bench.report.table_formats.table import Row, Value


def _number(key: str) -> Callable[[Row], str]:
    return lambda row: f"{row[key]:,}"


def _seconds(key: str) -> Callable[[Row], str]:
    return lambda row: seconds(float(row[key] or 0.0))


def _bytes(key: str) -> Callable[[Row], str]:
    return lambda row: byte_count(float(row[key] or 0.0))


def _quartiles(row: Row) -> str:
    q1_s, q3_s = (float(row[key] or 0.0) for key in ("online_q1_s", "online_q3_s"))
    return middle_half_text(q1_s, q3_s, int(row["run_count"] or 0))


def _verified(row: Row) -> str:
    return "yes" if row["verified"] else "NO"


SETTINGS = (
    TableColumn("protocol", "protocol", "the protocol that ran", words=True, folds=True, wanted=6),
    TableColumn("mode", "mode", "the mode of the protocol", words=True, folds=True, wanted=1),
    TableColumn("link", "link", "the link between the parties", words=True, folds=True, wanted=7),
    TableColumn("threads", "threads", "computing threads per party", folds=True, wanted=5),
    TableColumn("input_count", "inputs", "inputs that one inference answers together", folds=True, wanted=1),
    TableColumn("run_count", "runs", "timed runs", folds=True, wanted=0),
)
"""The columns that say how a result was measured."""

FIGURES = (
    TableColumn("online_s", "online", "median online latency", _seconds("online_s"), wanted=9),
    TableColumn(
        "online_q1_s", "middle half", "first quartile of the online latency", _quartiles, words=True, wanted=4
    ),
    TableColumn("online_q3_s", "", "third quartile of the online latency"),
    TableColumn("online_low_s", "", "lower end of the median's bootstrap interval, confidence 95 %"),
    TableColumn("online_high_s", "", "upper end of the median's bootstrap interval, confidence 95 %"),
    TableColumn("offline_s", "offline", "median offline time", _seconds("offline_s"), wanted=8),
    TableColumn(
        "online_bytes",
        "online bytes",
        "bytes of the online phase, both directions",
        _bytes("online_bytes"),
        wanted=3,
    ),
    TableColumn(
        "offline_bytes",
        "offline bytes",
        "bytes of the offline phase, both directions",
        _bytes("offline_bytes"),
        wanted=2,
    ),
    TableColumn(
        "rounds", "rounds", "communication rounds online", lambda row: f"{row['rounds']:,}", wanted=1
    ),
    TableColumn("online_floor_s", "", "floor of the online phase on the machine that measured"),
    TableColumn("offline_floor_s", "", "floor of the offline phase on the machine that measured"),
    TableColumn("verified", "verified", "whether every run was right", _verified, folds=True, wanted=1),
)
"""The columns that were measured."""

ORIGIN = (
    TableColumn("weights", "", "random or given; empty if unknown"),
    TableColumn("secure", "", "false: the protocol is for tests only and protects nothing"),
    TableColumn("link_rtt_s", "", "round trip of an emulated link, as asked for"),
    TableColumn("link_up_bits_per_s", "", "rate from client to server, as asked for"),
    TableColumn("link_down_bits_per_s", "", "rate from server to client, as asked for"),
    TableColumn("digest", "", "digest of the public program"),
    TableColumn("time", "", "time of the measurement, ISO 8601"),
    TableColumn("cpu_model", "", "processor"),
    TableColumn("usable_core_count", "", "cores that the measurement may use"),
    TableColumn("memory_bytes", "", "memory of the machine"),
    TableColumn("instruction_set", "", "instruction set of the kernels"),
    TableColumn("version", "", "version of pi-bench"),
    TableColumn("commit_id", "", "commit of the checkout of pi-bench; empty if there is none"),
    TableColumn("cautions", "", "codes of the cautions about the machine, with spaces between them"),
)
"""The columns about network, link and machine that only CSV and JSON have."""

COLUMNS = (
    TableColumn("network", "network", "name of the network", words=True),
    TableColumn("relu_count", "ReLUs", "ReLUs of one inference", _number("relu_count"), wanted=9),
    *SETTINGS,
    *FIGURES,
    *ORIGIN,
)
"""The columns of a row that `result_row` makes. Times are in seconds, and bytes count per inference."""


def result_row(result: Result) -> dict[str, Value]:
    """Returns the values of a result by the keys of `COLUMNS`.

    ```python
    def online_s(result: Result) -> Value:
        return result_row(result)["online_s"]
    ```
    """
    network, machine, floor, link = result.network, result.environment, result.floor, result.link
    emulated = link if isinstance(link, ProbedLink) else None
    return {
        "network": network.name,
        "relu_count": network.relu_count,
        "protocol": result.protocol,
        "mode": result.mode,
        "link": "loopback" if isinstance(link, Loopback) else link.name,
        "threads": machine.threads,
        "input_count": network.input_count,
        "run_count": result.runs,
        **_online(result.online.latency_s),
        "offline_s": result.offline.time_s,
        "online_bytes": result.online.bytes.total,
        "offline_bytes": result.offline.bytes.total,
        "rounds": _whole(result.online.comm_round_count),
        "online_floor_s": None if floor is None else floor.online.time_s,
        "offline_floor_s": None if floor is None else floor.offline.time_s,
        "verified": result.verified,
        "weights": network.weights,
        "secure": result.secure,
        "link_rtt_s": None if emulated is None else emulated.rtt_s,
        "link_up_bits_per_s": None if emulated is None else emulated.up_bits_per_s,
        "link_down_bits_per_s": None if emulated is None else emulated.down_bits_per_s,
        "digest": network.digest,
        "time": machine.time,
        "cpu_model": machine.cpu_model,
        "usable_core_count": machine.usable_core_count,
        "memory_bytes": machine.memory_bytes,
        "instruction_set": machine.instruction_set,
        "version": machine.versions.get("pi-bench"),
        "commit_id": machine.commit,
        "cautions": " ".join(caution.code for caution in result.cautions) or None,
    }


def result_table(rows: Sequence[Row], title: str, notes: Sequence[str] = ()) -> Table:
    """Returns the table of rows that `result_row` made. Its last notes name cautions and machines.

    >>> result_table([], "no results").notes
    ()
    """
    random = any(row.get("weights") == "random" for row in rows)
    words = ["Weights are random: latency and bytes are those of a trained network, answers mean nothing."]
    return Table(title, COLUMNS, tuple(rows), (*notes, *(words if random else ()), *measuring_notes(rows)))


def measuring_notes(rows: Sequence[Row]) -> list[str]:
    """Returns the sentences that every table of results needs: insecure protocols, cautions, machines.

    >>> measuring_notes([{"protocol": "ideal", "secure": False}])
    ['INSECURE, for tests only: ideal.']
    """
    insecure = dict.fromkeys(str(row["protocol"]) for row in rows if row.get("secure") is False)
    words = [f"INSECURE, for tests only: {', '.join(insecure)}."] if insecure else []
    return [*words, *caution_notes(rows), *machine_notes(rows)]


def caution_notes(rows: Sequence[Row]) -> list[str]:
    """Returns a sentence that counts the results with each caution; none if no result has one.

    >>> caution_notes([{"cautions": "load few-runs"}, {"cautions": "load"}, {"cautions": None}])
    ['Cautions: other programs took processor time (2 of 3 results); too few runs (1 of 3 results).']
    """
    codes = Counter(code for row in rows for code in str(row.get("cautions") or "").split())
    if not codes:
        return []
    words = (
        f"{CAUTION_WORDS.get(code, code)} ({count} of {counted(len(rows), 'result')})"
        for code, count in codes.items()
    )
    return [f"Cautions: {'; '.join(words)}."]


def machine_notes(rows: Sequence[Row]) -> list[str]:
    """Returns a sentence per machine and version that measured some of the rows.

    >>> row = {"version": "0.3", "cpu_model": "a processor", "usable_core_count": 2,
    ...     "memory_bytes": 16_000_000_000, "instruction_set": "aesni"}
    >>> machine_notes([row, row])
    ['Our test bed: pi-bench 0.3 on a processor, 2 cores, 16.0 GB of memory, kernels aesni, both ...']
    """
    keys = ("version", "commit_id", "cpu_model", "usable_core_count", "memory_bytes", "instruction_set")
    found = dict.fromkeys(tuple(row.get(key) for key in keys) for row in rows if row.get("cpu_model"))
    return [_machine(dict(zip(keys, values, strict=True))) for values in found]


def _machine(row: Row) -> str:
    commit = f" (commit {str(row['commit_id'])[:12]})" if row.get("commit_id") else ""
    return (
        f"Our test bed: pi-bench {row['version']}{commit} on {row['cpu_model']}, "
        f"{counted(int(row['usable_core_count'] or 0), 'core')}, "
        f"{byte_count(float(row['memory_bytes'] or 0))} of memory, kernels {row['instruction_set']}, "
        "both parties on one machine."
    )


def _online(latency_s: Distribution) -> dict[str, Value]:
    low, high = latency_s.interval or (None, None)
    return {
        "online_s": latency_s.median,
        "online_q1_s": latency_s.q1,
        "online_q3_s": latency_s.q3,
        "online_low_s": low,
        "online_high_s": high,
    }


def _whole(value: float) -> int | float:
    """Returns a whole number as an integer; a phase may end in the middle of a round."""
    return int(value) if value == int(value) else value
