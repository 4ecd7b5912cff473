"""Passes records of arguments to kernels, whose keyword arguments have the names of the records' fields."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def as_keywords(*records: DataclassInstance) -> dict[str, Any]:
    """Returns the fields of `records` by name, without `spec`, which kernels take as their first argument.

    >>> from pi_bench.crypto.gadget_arguments import GadgetCall
    >>> from pi_bench.crypto.gadget_spec import GadgetSpec
    >>> as_keywords(GadgetCall(GadgetSpec("relu", 12, 23, False, 4095), gadget=3, first_group=64))
    {'gadget': 3, 'first_group': 64, 'threads': 1, 'isa': ''}
    """
    return {name: getattr(record, name) for record in records for name in _names(type(record))}


@functools.cache
def _names(record_type: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(record_type) if field.name != "spec")
