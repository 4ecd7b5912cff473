"""The complete example of docs/adding-a-protocol.md, installed through its entry point and run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pi_bench.cli import main
from tests.packages import Packages

DOCUMENT = Path(__file__).parents[2] / "docs" / "adding-a-protocol.md"


def test_the_example_runs_as_it_stands(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = DOCUMENT.read_text()
    (entry,) = re.findall(r'```toml\n\[project\.entry-points\."pi_bench\.protocols"\]\n(.*?)\n```', text)
    (source,) = [
        block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def predict" in block
    ]
    package, _, _ = entry.split('"')[1].partition(":")
    (tmp_path / "site").mkdir()
    Packages(tmp_path / "site", monkeypatch).install(package, entry.replace('"', ""), source)
    target = tmp_path / "result.json"
    flags = ("--protocol", "clear", "--copies", "3", "--runs", "1", "--json", str(target))
    assert main(["latency", str(model_file), *flags]) == 0
    result = json.loads(target.read_text())
    assert result["verification"]["passed"] and result["options"] == {"copies": 3}
    assert main(["inspect", str(model_file), *flags[:4], "--json", "-"]) == 0
    shown = capsys.readouterr().out
    predicted = json.loads(shown[shown.index("\n{") :])["predicted_bytes"]["online"]
    assert predicted == result["online"]["bytes"]
