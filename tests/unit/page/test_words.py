"""The page explains the words that it uses, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from pi_bench.page import sections_of
from pi_bench.registry import find_protocol
from tests.unit.page.stored_runs import inputs_of, several, variant


def words_of(*documents: dict[str, Any]) -> dict[str, str]:
    last = sections_of(inputs_of(*documents))[-1]
    assert last.name == "words"
    return {row[0]: row[1] for table in last.tables for row in table.rows}


@pytest.mark.slow
def test_words_are_explained_where_the_page_uses_them() -> None:
    found = words_of(*several())
    assert {"first inference", "floor", "hidden", "offline", "truncate", "windowed"} <= set(found)
    assert list(found) == sorted(found, key=str.lower)
    assert "set-up" in found  # the meaning of first inference has the word
    assert "opened bit" not in found and "Pareto frontier" not in found
    document = variant()
    document["notes"] = ["7 truncations need one opened bit each."]
    assert "opened bit" in words_of(document)


def test_a_mode_has_the_meaning_that_its_protocol_declares() -> None:
    exact = {**variant(), "mode": "exact"}
    assert words_of(exact)["exact"] == "A mode of delphi: equals the integer network bit for bit."
    unknown = {**variant(protocol="no-such-protocol"), "mode": "exact"}
    assert "exact" not in words_of(unknown)


def test_a_part_has_the_meaning_that_its_protocol_declares() -> None:
    garbled, tables = (find_protocol(name).parts for name in ("delphi", "fss"))
    fss = variant(protocol="fss")
    fss["offline"]["parts"]["tables"] = fss["offline"]["parts"]["garbling"]
    found = words_of(variant(), fss)
    assert found["part ot"] == garbled["ot"] == tables["ot"]
    assert found["part tables"] == tables["tables"]
    assert found["part garbling"] == " ".join(
        f"Under {name}: {meaning[0].lower()}{meaning[1:]}"
        for name, meaning in (("delphi", garbled["garbling"]), ("fss", tables["garbling"]))
    )
    assert "part other" not in found and "part tables" not in words_of(variant())
