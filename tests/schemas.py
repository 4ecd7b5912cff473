"""Compares JSON with the schema that `pi-bench schema` prints for it."""

from __future__ import annotations

import functools
from typing import Any

import jsonschema

from pi_bench.report.documents import schema_of


def require_valid(document: Any, kind: str) -> None:
    """Fails unless the schema of `kind`, such as "result", describes the document.

    That every schema is one is checked once, in tests/cli/test_usage.py: it takes longer than to compare
    documents.
    """
    if error := jsonschema.exceptions.best_match(_validator(kind).iter_errors(document)):
        raise error


@functools.cache
def _validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema_of(kind))
