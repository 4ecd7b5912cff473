"""Results for pages: a stored result of a real run, and others that are made from it."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import msgspec

from pi_bench.page.inputs import NamedResult, PageInputs, printable
from pi_bench.report.documents.accuracy import Accuracy
from pi_bench.report.documents.latency import Result

SCREENS = Path(__file__).parents[2] / "vectors" / "screens"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}\u202e"
"""A name that would end a script, start one, fill a template and turn the direction of the text."""


@functools.cache
def _latency_text() -> str:
    return (SCREENS / "latency.json").read_text()


def latency_fields() -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(_latency_text())
    return fields


def accuracy_fields() -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((SCREENS / "accuracy.json").read_text())
    return fields


def variant(
    *,
    name: str = "resnet18-cifar100-12288",
    protocol: str = "delphi",
    link: str = "loopback",
    relu_count: int = 12288,
    factor: float = 1.0,
) -> dict[str, Any]:
    """A run with other settings. Its times are those of the stored run times a factor."""
    fields = latency_fields()
    fields["network"].update(name=name, relu_count=relu_count)
    fields["protocol"] = protocol
    if link != "loopback":
        figures = {"rtt_s": 0.001, "up_bits_per_s": 1e9, "down_bits_per_s": 1e9}
        fields["link"] = {"kind": "emulated", "name": link, **figures, "measured": figures}
    latency = fields["online"]["latency_s"]
    for key in ("median", "q1", "q3", "min", "max"):
        latency[key] *= factor
    latency["samples"] = [each * factor for each in latency["samples"]]
    latency["interval"] = [each * factor for each in latency["interval"]]
    fields["offline"]["time_s"] *= factor
    fields["offline"]["samples_s"] = [each * factor for each in fields["offline"]["samples_s"]]
    floor = {"time_s": 0.001, "bound_by": "link", "client_s": 0.0004, "server_s": 0.0003, "link_s": 0.001}
    work: dict[str, Any] = {"client_work": {}, "server_work": {}}
    fields["floor"] = {
        "online": {**floor, **work, "times_floor": latency["median"] / 0.001},
        "offline": {**floor, **work, "times_floor": fields["offline"]["time_s"] / 0.001},
        "layers": [
            {"id": layer["id"], "name": layer["name"], "offline": floor, "online": {**floor, "time_s": 2e-5}}
            for layer in fields["online"]["layers"]
        ],
    }
    return fields


def several() -> list[dict[str, Any]]:
    """Networks of three sizes under two protocols, on two links."""
    return [
        variant(
            name=f"resnet18-cifar100-{count}",
            protocol=protocol,
            link=link,
            relu_count=count,
            factor=count / 12288 * (2 if protocol == "fss" else 1) * (5 if link == "lan" else 1),
        )
        for count in (12288, 57344, 229376)
        for protocol in ("delphi", "fss")
        for link in ("loopback", "lan")
    ]


def scored() -> dict[str, Any]:
    """An accuracy with labels, of the program of every variant."""
    fields = accuracy_fields()
    for scores in (fields["float"], fields["integer"]):
        scores.update(accuracy_pct=64.5, accuracy_interval_pct=[60.0, 68.0])
    return fields


def inputs_of(*documents: dict[str, Any]) -> PageInputs:
    """The inputs of a page, as if each document had been read from a file of its own."""
    found = PageInputs(documents=list(documents))
    for number, document in enumerate(documents, start=1):
        if "setup" in document:
            result = msgspec.convert(printable(document), Result)
            found.results.append(NamedResult(f"run{number}", result))
        else:
            found.accuracies.append(msgspec.convert(printable(document), Accuracy))
    return found
