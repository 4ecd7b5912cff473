"""The documents that commands write with `--json`, as types. JSON Schemas are generated from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pi_bench.report.documents.accuracy import Accuracy
from pi_bench.report.documents.answer import ServedAnswer
from pi_bench.report.documents.comparison import ComparisonResult
from pi_bench.report.documents.export import Export
from pi_bench.report.documents.inspection import Inspection
from pi_bench.report.documents.latency import Result
from pi_bench.report.documents.micro import Micro
from pi_bench.report.documents.table import TableDocument
from pi_bench.report.documents.words import WORDS

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "result": Result,
    "accuracy": Accuracy,
    "comparison": ComparisonResult,
    "inspection": Inspection,
    "micro": Micro,
    "answer": ServedAnswer,
    "export": Export,
    "table": TableDocument,
}
"""Each document by the name that `pi-bench schema` knows."""

_COMMANDS = {
    "result": "latency",
    "accuracy": "accuracy",
    "comparison": "compare",
    "inspection": "inspect",
    "micro": "micro",
    "answer": "infer",
    "export": "export",
    "table": "table",
}


def schema_of(name: str) -> dict[str, Any]:
    """Generates the JSON Schema (draft 2020-12) of a document.

    >>> schema_of("micro")["title"]
    'Result of pi-bench micro'

    Raises KeyError for a name that is not in `DOCUMENTS`.
    """
    (reference,), definitions = msgspec.json.schema_components(
        [DOCUMENTS[name]], ref_template="#/$defs/{name}"
    )
    root = definitions.pop(reference["$ref"].rpartition("/")[2])
    for kind, definition in {name: root, **definitions}.items():
        _describe(kind, definition.get("properties", {}))
    root["title"] = f"Result of pi-bench {_COMMANDS[name]}"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": definitions}


def _describe(kind: str, fields: Mapping[str, dict[str, Any]]) -> None:
    """Adds the meaning of its name to each field that has no description of its own."""
    for name, field in fields.items():
        meaning = WORDS.get(f"{kind}.{name}") or WORDS.get(name)
        if meaning is not None:
            field.setdefault("description", meaning)


def as_json(document: msgspec.Struct) -> Any:
    """Turns a document into dicts, lists and numbers for `json.dumps`.

    >>> from pi_bench.report.documents.fields import Directions
    >>> as_json(Directions(client_to_server=3, server_to_client=5))
    {'client_to_server': 3, 'server_to_client': 5}
    """
    return msgspec.to_builtins(document)
