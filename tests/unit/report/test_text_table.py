"""Tables at narrow widths: values stay whole, or differ where they are shortened."""

from __future__ import annotations

import pytest

from pi_bench.history import RunFacts, StoredRun
from pi_bench.report.history import render_list
from pi_bench.report.text_table import render_table

NAME = "resnet18-cifar100-57344-of-November-with-a-very-long-name"


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_a_history_cuts_no_value(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    facts = RunFacts("latency", "2026-11-29T12:00:00+00:00", NAME, protocol="delphi", link="loopback")
    whole = render_list([StoredRun(3, ("baseline", "quiet"), facts)])
    lines = [line for line in whole.splitlines()[:-1] if not line.startswith("not shown")]
    text = "\n".join(lines)
    assert "…" not in text and max(map(len, lines)) <= width
    header, first = lines[0], lines[2]
    start = header.index("network")
    stop = start + len(lines[1][start:].split()[0])  # the rule under the heading is as wide as its column
    assert "".join(line[start:stop].strip() for line in lines[2:] if not line[0].isalnum()) == NAME
    assert ("2026-11-29" in first) == ("time (UTC)" in header) == (width > 40)


def test_long_words_that_differ_in_the_middle_look_different() -> None:
    names = [f"features.stage1.block1.{middle}.conv.of.the.end" for middle in ("alpha", "beta.", "gamma")]
    lines = render_table(("layer", "n"), [(f"{name}.weights", "1") for name in names], width=40)
    cells = [line.split()[0] for line in lines[2:]]
    assert len(set(cells)) == 3 and all("…" in cell and len(cell) <= 34 for cell in cells)
