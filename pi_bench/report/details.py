"""The details of a result that `pi-bench latency --layers all` prints below the first screen."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pi_bench.report.documents.fields import BothTimes
from pi_bench.report.documents.latency import Result
from pi_bench.report.prediction import comparison_lines
from pi_bench.report.quantities import (
    byte_count,
    bytes_or_dash,
    milliseconds,
    seconds,
    seconds_or_dash,
)
from pi_bench.report.text_table import render_table

_PHASES = ("set-up", "offline", "online")


def detail_blocks(result: Result) -> list[list[str]]:
    """Returns blocks of lines: each phase by part, the parties' processor time and memory, the prediction.

    ```python
    def show(result: Result) -> None:
        for block in detail_blocks(result):
            print(*block, sep="\\n")
    ```
    """
    online, offline = result.online.parts, result.offline.parts
    blocks = [
        ["online, by part", *_part_table(online)] if online else [],
        ["offline, by part", *_part_table(offline)],
        _parties(result),
    ]
    if result.prediction is not None:
        blocks.append(comparison_lines(result.prediction, result))
    return [block for block in blocks if block]


def _part_table(parts: Mapping[str, BothTimes]) -> list[str]:
    rows = [
        (
            name,
            milliseconds(part.client.compute_s),
            milliseconds(part.server.compute_s),
            milliseconds(part.client.wait_s),
            milliseconds(part.server.wait_s),
            bytes_or_dash(part.bytes.client_to_server),
            bytes_or_dash(part.bytes.server_to_client),
        )
        for name, part in parts.items()
    ]
    header = ("part", "client ms", "server ms", "client waits", "server waits", "to server", "to client")
    return render_table(header, rows, drop=("server waits", "client waits"))


def _parties(result: Result) -> list[str]:
    """Returns the work before the first inference, and each party's processor time and memory by phase."""
    cpu, peak, stored = result.cpu_time_by_phase_s, result.peak_memory_bytes, result.storage_bytes
    rows = [
        (
            party,
            *(seconds_or_dash(value) for value in msgspec.structs.astuple(cpu_s)),
            *(byte_count(value) for value in msgspec.structs.astuple(peak_bytes)),
            byte_count(stored_bytes),
        )
        for party, cpu_s, peak_bytes, stored_bytes in (
            ("client", cpu.client, peak.client, stored.client),
            ("server", cpu.server, peak.server, stored.server),
        )
    ]
    header = (
        "party",
        *(f"cpu {phase}" for phase in _PHASES),
        *(f"peak {phase}" for phase in _PHASES),
        "stored",
    )
    loaded = f"load model {seconds(result.model_load_s)}, " if result.model_load_s else ""
    return [
        f"{loaded}prepare server {seconds(result.server_prepare_s)}, "
        f"start {seconds(result.start_s)}, set-up {seconds(result.setup.time_s)}",
        *render_table(header, rows, drop=("peak set-up", "cpu set-up")),
    ]
