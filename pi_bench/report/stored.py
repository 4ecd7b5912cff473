"""Reads the values of a result's JSON as the document that its command wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from pi_bench.errors import InputError
from pi_bench.history.facts import require_version

_Document = TypeVar("_Document")
_OF_FIELDS = ("Object contains unknown field", "Object missing required field")


def stored_result(fields: Mapping[str, Any], kind: type[_Document]) -> _Document:
    """Returns a result as a document, such as a `pi_bench.report.documents.latency.Result`.

    Raises:
        InputError: it has another schema version or other fields, or a field has a value that no result has.
            The message names both versions, or the field.

    >>> from pi_bench.report.documents.comparison import ComparisonResult
    >>> stored_result({"sides": [], "ratios": [], "schema_version": 999}, ComparisonResult)
    Traceback (most recent call last):
    pi_bench.errors.InputError: this result has the schema version 999, and this pi-bench reads version 1; ...
    """
    require_version(fields)
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        words, _, name = str(error).rpartition(" - at `$.")
        if not words or words.startswith(_OF_FIELDS):
            raise InputError("another version of pi-bench wrote this result; measure it again") from None
        expected = words[0].lower() + words[1:]
        raise InputError(
            f"the field {name.rstrip('`')} of this result has a value that no result has: {expected}"
        ) from None
