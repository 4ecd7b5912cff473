"""Checks distributions: `python tests/check_distributions.py DIST`, a folder with one sdist and one wheel.

The sdist holds no weights and nothing built; the wheel holds the package and nothing else, and its commands
work in a fresh environment, without torch, from an empty folder. Any failure ends it with a non-zero code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "pi_bench": ROOT / "pi_bench",
    "pi_bench/protocols": ROOT / "protocols",
    "pi_bench/models": ROOT / "models",
}
WEIGHTS_AND_BUILDS = {".pt", ".pth", ".npy", ".so", ".o", ".a", ".pyc"}
SOURCES_OF_NATIVE = {".cpp", ".h", ".txt"}


def require(holds: bool, message: str) -> None:
    if not holds:
        sys.exit(f"error: {message}")


def tracked(folder: Path) -> list[str]:
    """Lists the files of `folder` that git tracks, relative to it."""
    listing = subprocess.run(["git", "ls-files"], cwd=folder, check=True, capture_output=True, text=True)
    return listing.stdout.splitlines()


def check_sdist(path: Path) -> None:
    with tarfile.open(path) as archive:
        names = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in archive.getnames()}
    unwanted = sorted(name for name in names if PurePosixPath(name).suffix in WEIGHTS_AND_BUILDS)
    require(not unwanted, f"{path.name} holds {unwanted}")
    missing = sorted(set(tracked(ROOT)) - names)
    require(not missing, f"{path.name} lacks {missing}")


def check_wheel(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    tops = {PurePosixPath(name).parts[0] for name in names}
    information = {top for top in tops if top.endswith(".dist-info")}
    require(
        tops - information == {"pi_bench"} and len(information) == 1, f"{path.name} installs {sorted(tops)}"
    )
    package = {name for name in names if name.startswith("pi_bench/")}
    extension = f"pi_bench/_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    expected = {f"{target}/{name}" for target, folder in PACKAGES.items() for name in tracked(folder)}
    require(
        package == expected | {extension},
        f"{path.name} differs: {sorted(package ^ (expected | {extension}))}",
    )


def check_installed(wheel: Path, folder: Path) -> None:
    """In a fresh environment below `folder`; the commands run in an empty folder."""
    environment, empty = folder / "environment", folder / "empty"
    venv.create(environment, with_pip=True)
    empty.mkdir()
    python = environment / "bin" / "python"
    site_packages = next((environment / "lib").glob("python*/site-packages"))

    def run(*command: str | os.PathLike[str], exit_code: int = 0) -> str:
        result = subprocess.run(command, cwd=empty, capture_output=True, text=True)
        require(result.returncode == exit_code, f"{command} ended with {result.returncode}: {result.stderr}")
        return result.stdout

    before = {entry.name for entry in site_packages.iterdir()}
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel)
    added = {entry.name for entry in site_packages.iterdir()} - before
    require(len(added) == 2 and "pi_bench" in added, f"site-packages got {sorted(added)}")
    run(python, "-m", "pip", "install", "--quiet", wheel)

    pi_bench = environment / "bin" / "pi-bench"
    require("latency" in run(pi_bench, "--help"), "`pi-bench --help` names no command")
    recipes = json.loads(run(pi_bench, "export", "--list", "--json"))
    require(len(recipes) == len(list((ROOT / "models" / "recipes").glob("*.toml"))), "recipes are missing")
    require("properties" in json.loads(run(pi_bench, "schema", "result")), "no schema of results")
    run(pi_bench, "export", "--recipe", recipes[0]["name"], "-o", "model.pt", exit_code=3)  # torch is missing
    run(
        python,
        "-c",
        "import pi_bench.launch.client_process, pi_bench.registry as r; r.find_protocol('delphi')",
    )
    require(not any(empty.iterdir()), f"the commands left {sorted(empty.iterdir())} behind")


def main() -> None:
    distributions = Path(sys.argv[1])
    (sdist,), (wheel,) = distributions.glob("*.tar.gz"), distributions.glob("*.whl")
    check_sdist(sdist)
    check_wheel(wheel)
    with tempfile.TemporaryDirectory() as folder:
        check_installed(wheel.resolve(), Path(folder))
    print(f"{sdist.name} and {wheel.name} hold the right files, and the commands work")


if __name__ == "__main__":
    main()
