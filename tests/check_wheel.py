"""Tries a wheel as a user installs it: `python tests/check_wheel.py WHEEL REQUIREMENT...`.

Installs the wheel with the extra `all` in a new environment, and the requirements, such as one version of
torch. Then its commands export, measure and report a network in an empty folder. Any failure ends it with a
non-zero code.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

RECIPE = "resnet18-cifar100-12288"
EXTRAS = """
import importlib.metadata as metadata
from packaging.requirements import Requirement
requirements = [Requirement(text) for text in metadata.requires("pi-bench")]
wanted = ["", "all"]
for extra in wanted:  # it grows: an extra names others
    for each in requirements:
        if each.marker is not None and each.marker.evaluate({"extra": extra}):
            wanted += [other for other in each.extras if other not in wanted]
            print(each.name, metadata.version(each.name))
print("extras", *wanted[1:])
"""


def run(folder: Path, *command: str | Path) -> str:
    """Runs a command in `folder` and returns its output. Ends this program if the command fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {' '.join(map(str, command))} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def main() -> None:
    wheel, requirements = Path(sys.argv[1]).resolve(), sys.argv[2:]
    if "manylinux" not in wheel.name:
        sys.exit(f"error: {wheel.name} is no manylinux wheel: repair it with auditwheel")
    with tempfile.TemporaryDirectory() as name:
        environment, empty = Path(name) / "environment", Path(name) / "empty"
        venv.create(environment, with_pip=True)
        empty.mkdir()
        python, pi_bench = environment / "bin" / "python", environment / "bin" / "pi-bench"
        run(empty, python, "-m", "pip", "install", "--quiet", *requirements, "packaging", f"{wheel}[all]")
        print(run(empty, python, "-c", EXTRAS), end="")
        run(empty, pi_bench, "export", "--recipe", RECIPE, "-o", "model.pt")
        history = ("--history", empty / "history.db")
        run(empty, pi_bench, "latency", "model.pt", "--runs", "2", "--json", "result.json", *history)
        result = json.loads((empty / "result.json").read_text())
        if not result["verification"]["passed"]:
            sys.exit("error: the verification failed")
        run(empty, pi_bench, "report", "result.json", "-o", "report.html", *history)
        run(empty, pi_bench, "completion", "bash")
        print(
            f"{wheel.name}: {RECIPE}, online {1e3 * result['online']['latency_s']['median']:.2f} ms, verified"
        )


if __name__ == "__main__":
    main()
