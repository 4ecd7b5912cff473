"""Files of costs from other versions and protocols."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pi_bench.cli import main


def test_a_file_may_know_more_and_must_not_know_less(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A unit of another protocol does no harm. A missing one is refused before anything runs."""
    fields = json.loads(Path(os.environ["PI_BENCH_COSTS"]).read_text())
    fields["unit_s"]["a unit of another protocol"] = 1.0
    more = tmp_path / "more.json"
    more.write_text(json.dumps(fields))
    assert main(["inspect", str(model_file), "--costs", str(more)]) == 0
    del fields["unit_s"]["evaluate gate"]
    less = tmp_path / "less.json"
    less.write_text(json.dumps(fields))
    capsys.readouterr()
    for command in ("inspect", "latency"):
        assert main([command, str(model_file), "--costs", str(less)]) == 4
        out, error = capsys.readouterr()
        assert f"error: {less}: the costs lack the unit 'evaluate gate'" in error
        assert out == ""
