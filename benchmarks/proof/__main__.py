"""Every network of this field, measured: ``python -m benchmarks.proof`` (`make proof`).

Exports each network with random weights, runs `pi-bench latency` on it under each protocol, and writes the
table of docs/networks.md, with the figures as JSON and CSV beside it. What `--work` holds already is not
measured again, so that it goes on after an interruption; other rows keep the figures that docs/ has.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.proof.measured_network import FailedRow, export, measure
from benchmarks.proof.networks import NETWORKS, PROTOCOLS, Network
from benchmarks.proof.table import as_csv, markdown
from pi_bench.atomic_file import whole_file

BEGIN, END = "<!-- python -m benchmarks.proof writes from here -->", "<!-- to here -->"


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    chosen = [network for network in NETWORKS if not parsed.only or network.name in parsed.only]
    unknown = set(parsed.only or ()) - {network.name for network in NETWORKS}
    if unknown:
        names = ", ".join(network.name for network in NETWORKS)
        print(f"error: no network {sorted(unknown)[0]!r}; there are {names}", file=sys.stderr)
        return 2
    failed = [network for network in chosen if not _measured(network, parsed)]
    write(parsed.docs, parsed.work)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.proof",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these networks (default: all)")
    parser.add_argument(
        "--protocols", nargs="+", choices=PROTOCOLS, default=PROTOCOLS, help="these protocols (default: both)"
    )
    parser.add_argument("--again", action="store_true", help="measure also what --work holds already")
    parser.add_argument("--work", type=Path, default=Path("build/proof"), metavar="FOLDER")
    parser.add_argument("--docs", type=Path, default=Path("docs"), metavar="FOLDER")
    parser.add_argument(
        "--searched",
        type=Path,
        default=Path("build/proof/snl"),
        metavar="FOLDER",
        help="of `pi-bench reduce snl`: its networks' masks are taken, else masks are drawn",
    )
    return parser


def _measured(network: Network, parsed: argparse.Namespace) -> bool:
    """Measures what `--work` lacks of a network, and returns whether all of it is there now."""
    paths = {protocol: _path(parsed.work, network, protocol) for protocol in parsed.protocols}
    due = [protocol for protocol, path in paths.items() if parsed.again or not path.exists()]
    if not due:
        print(f"{network.name}: measured before")
        return True
    begun, name = time.monotonic(), network.name
    try:
        exported = export(network, parsed.work, parsed.searched)
        for protocol in due:
            paths[protocol].unlink(missing_ok=True)
            name = f"{network.name}, {protocol}"
            found = measure(exported, protocol)
            _write(paths[protocol], json.dumps(found, indent=2) + "\n")
            online_ms = 1e3 * found["online_s"]["median"]
            print(f"{name}: {online_ms:.1f} ms online; {time.monotonic() - begun:.0f} s", flush=True)
    except FailedRow as error:
        print(f"{name}: {error}", file=sys.stderr)
        return False
    return True


def _path(work: Path, network: Network, protocol: str) -> Path:
    return work / f"{network.name}.{protocol}.json"


def write(docs: Path, work: Path) -> None:
    """Writes the figures of `docs`, replaced where `work` has newer ones, as JSON, CSV and Markdown."""
    stored = docs / "networks" / "figures.json"
    records: dict[tuple[str, str], Any] = {}
    if stored.exists():
        found = json.loads(stored.read_text())
        records = {(record["name"], record["protocol"]): record for record in found}
    rows = [(network, protocol) for network in NETWORKS for protocol in PROTOCOLS]
    for network, protocol in rows:
        path = _path(work, network, protocol)
        if path.exists():
            records[network.name, protocol] = json.loads(path.read_text())
    ordered = [
        records[network.name, protocol] for network, protocol in rows if (network.name, protocol) in records
    ]
    stored.parent.mkdir(parents=True, exist_ok=True)
    _write(stored, json.dumps(ordered, indent=2) + "\n")
    _write(stored.with_suffix(".csv"), as_csv(ordered))
    page = docs / "networks.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    _write(page, f"{before}{BEGIN}\n\n{markdown(ordered)}\n\n{END}{after}")


def _write(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode())


if __name__ == "__main__":
    raise SystemExit(main())
