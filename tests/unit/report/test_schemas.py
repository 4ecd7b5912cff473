"""The JSON Schemas of the documents say what every field means."""

from __future__ import annotations

from pi_bench.report.documents import DOCUMENTS, schema_of
from pi_bench.report.documents.words import WORDS


def test_every_field_of_every_schema_is_described_and_no_word_is_left_over() -> None:
    left, short = set(WORDS), []
    for document in DOCUMENTS:
        schema = schema_of(document)
        for kind, definition in {document: schema, **schema["$defs"]}.items():
            for name, field in definition.get("properties", {}).items():
                described = field.get("description", "")
                if len(described) < 10:
                    short.append(f"{kind}.{name}: {described}")
                left -= {key for key in (f"{kind}.{name}", name) if WORDS.get(key) == described}
    assert short == [] and left == set()
