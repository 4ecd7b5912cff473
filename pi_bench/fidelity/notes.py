"""The notes on fidelity in a model file: the fidelity, and the program that it was measured with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pi_bench.fidelity.fidelity import Fidelity

_FIDELITY, _PROGRAM = "fidelity", "fidelity_program"


def fidelity_notes(fidelity: Fidelity, digest: str) -> dict[str, Any]:
    """Returns the entries of a model file's ``meta`` that keep a fidelity; `noted_fidelity` reads them.

    digest: that of the program for one input (`program_digest`), with which the fidelity was measured. Other
    bits, and another version of the compiler, make another program.

    >>> sorted(fidelity_notes(Fidelity(4, 4, 0.5, 8.0, "noise"), "00" * 32))
    ['fidelity', 'fidelity_program']
    """
    return {_FIDELITY: fidelity.to_fields(), _PROGRAM: digest}


def noted_fidelity(meta: Mapping[str, Any]) -> Fidelity | None:
    """Reads the fidelity in a model file; None where the file notes none, as older files do.

    Raises:
        ModelError: the note is damaged.

    >>> fidelity = Fidelity(4, 4, 0.5, 8.0, "noise")
    >>> noted_fidelity(fidelity_notes(fidelity, "00" * 32)) == fidelity, noted_fidelity({})
    (True, None)
    """
    fields = meta.get(_FIDELITY)
    return None if fields is None else Fidelity.from_fields(fields)


def is_of_program(meta: Mapping[str, Any], digest: str) -> bool:
    """Tells whether the fidelity in a model file is that of the program for one input with this digest.

    >>> is_of_program(fidelity_notes(Fidelity(4, 4, 0.5, 8.0, "noise"), "00" * 32), "11" * 32)
    False
    """
    return bool(meta.get(_PROGRAM) == digest)
