"""The Makefile sets the environment up again when `pip install .` has replaced its editable install."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FINDER = ".venv/lib/python3.11/site-packages/_editable_skbc_pi_bench.py"

pytestmark = pytest.mark.process


@pytest.mark.parametrize(("removed", "code"), [(None, 0), (FINDER, 1)])
def test_setup_repairs_an_install_that_is_not_editable(
    removed: str | None, code: int, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("native/channel.cpp", "CMakeLists.txt", "pyproject.toml", ".venv/bin/python", FINDER):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / ".venv/.installed").touch()
    if removed is not None:
        (tmp_path / removed).unlink()
    command = ["make", "--question", "--directory", str(tmp_path), "setup"]
    assert subprocess.run(command, capture_output=True).returncode == code


def test_make_installs_the_packages_of_the_extra_all() -> None:
    """As README.md says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    wanted = {package for name in ("train", "onnx", "completion", "report") for package in extras[name]}
    assert wanted - {"pi-bench[torch]"} <= set(extras["test"])
