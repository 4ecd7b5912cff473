"""The checks, one session each: `nox` runs those of `make lint`, `nox -s NAME` one, `nox -l` lists them."""

import pathlib
import re
import shutil

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "layers", "types", "native", "tidy", "wheel"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHON_ROOTS = ("pi_bench", "protocols", "models", "tests", "benchmarks", "docs", "noxfile.py")
PROSE_ROOTS = (
    *("docs", "native", ".github", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    *("Makefile", "CMakeLists.txt", "pyproject.toml"),
)


def install_group(session: nox.Session, group: str) -> None:
    session.install(*nox.project.dependency_groups(PYPROJECT, group))


@nox.session
def lint(session: nox.Session) -> None:
    """Format, style and spelling."""
    install_group(session, "lint")
    session.run("ruff", "format", "--check", *PYTHON_ROOTS)
    session.run("ruff", "check", *PYTHON_ROOTS)
    session.run("codespell", *PYTHON_ROOTS, *PROSE_ROOTS)
    sources = session.run("git", "ls-files", "native/*.h", "native/*.cpp", external=True, silent=True)
    session.run("clang-format", "--dry-run", "--Werror", *sources.split())


@nox.session
def layers(session: nox.Session) -> None:
    """Who may import whom (pyproject.toml), over the package as it is installed."""
    install_group(session, "layers")
    installed = pathlib.Path(session.create_tmp()) / "layers"
    shutil.rmtree(installed, ignore_errors=True)
    for source, target in (("pi_bench", "."), ("protocols", "protocols"), ("models", "models")):
        shutil.copytree(source, installed / "pi_bench" / target, dirs_exist_ok=True)
    (installed / "pi_bench" / "_native.py").touch()  # the extension module, as an importer sees it
    configuration = pathlib.Path("pyproject.toml").resolve()
    with session.chdir(installed):
        session.run("lint-imports", "--config", str(configuration), "--no-cache")


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """mypy strict over the package, the protocols and the models, in .venv: another torch takes minutes.

    The examples of docstrings that no test runs are checked too. Then stubtest compares the stubs of the
    compiled module with the module.
    """
    session.run("make", "setup")
    groups = nox.project.dependency_groups(PYPROJECT, "types")
    session.run(".venv/bin/python", "-m", "pip", "install", "--quiet", *groups)
    session.run(".venv/bin/python", "-m", "mypy")
    session.run(".venv/bin/python", "-m", "pytest", "-q", "tests/test_fenced_examples.py")
    allowlist = ("--allowlist", "native/bindings/stubtest.allowlist")
    session.run(".venv/bin/python", "-m", "mypy.stubtest", "pi_bench._native", *allowlist)


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """The documents as a site, in .venv, because Sphinx imports the package whose docstrings it shows."""
    session.run("make", "setup")
    groups = nox.project.dependency_groups(PYPROJECT, "docs")
    session.run(".venv/bin/python", "-m", "pip", "install", "--quiet", *groups)
    session.run(".venv/bin/python", "-m", "docs.site")


@nox.session(name="doc-commands", venv_backend="none")
def doc_commands(session: nox.Session) -> None:
    """The commands that README.md and docs/ show, in temporary folders, or those of the documents given."""
    session.run("make", "setup")
    session.run(".venv/bin/python", "-m", "tests.shown_commands", *session.posargs)


@nox.session
def test(session: nox.Session) -> None:
    """The Python tests."""
    session.install("-e", ".[torch,test]")
    session.run("pytest", *(session.posargs or ("-n", "2", "--dist", "loadfile", "--durations=25")))


@nox.session
@nox.parametrize(
    ("python", "torch"),
    [("3.11", "2.8.0"), ("3.12", "2.12.1"), ("3.13", "2.14.1"), ("3.14", "2.14.1")],
    ids=["oldest", "3.12", "3.13", "newest"],
)
def ranges(session: nox.Session, torch: str) -> None:
    """The tests that train nothing and start no process, with every Python and both ends of torch.

    CI runs all of them with CPU builds of torch. Other builds bring gigabytes of GPU libraries.
    """
    session.install(f"torch=={torch}", "-e", ".[torch,test]")
    session.run("pytest", "-n", "2", "--dist", "loadfile", "-m", "not training and not process")


@nox.session(venv_backend="none")
def native(session: nox.Session) -> None:
    """The C++ tests, warnings as errors, then under the sanitizers."""
    for preset in ("release", "sanitize"):
        session.run("cmake", "--preset", preset)
        session.run("cmake", "--build", "--preset", preset, "--parallel", "2")
        session.run("ctest", "--preset", preset)


@nox.session
def tidy(session: nox.Session) -> None:
    """clang-tidy (.clang-tidy) over the kernels and their tests."""
    install_group(session, "tidy")
    session.run("cmake", "--preset", "tidy", external=True)
    session.run("cmake", "--build", "--preset", "tidy", "--parallel", "2", external=True)


@nox.session
def wheel(session: nox.Session) -> None:
    """Builds a source distribution, and from that the wheel that a user installs, and tries it."""
    install_group(session, "wheel")
    distributions = pathlib.Path(session.create_tmp()) / "dist"
    shutil.rmtree(distributions, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(distributions))
    session.run("python", "tests/check_distributions.py", str(distributions))


@nox.session
def manylinux(session: nox.Session) -> None:
    """A wheel for other machines, in build/wheels, tried with the extra `all` in a new environment.

    Its tag is the oldest system that this machine's glibc and libstdc++ permit (CONTRIBUTING.md).
    """
    install_group(session, "manylinux")
    built = pathlib.Path(session.create_tmp()) / "built"
    repaired = pathlib.Path("build/wheels")
    for folder in (built, repaired):
        shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "build", "--wheel", "--outdir", str(built))
    (wheel,) = built.glob("*.whl")
    session.run("auditwheel", "show", str(wheel))
    session.run("auditwheel", "repair", "--wheel-dir", str(repaired), str(wheel))
    (wheel,) = repaired.glob("*.whl")
    torch = re.search(r"^TORCH := (.*)$", pathlib.Path("Makefile").read_text(), re.MULTILINE)[1]
    session.run("python", "tests/check_wheel.py", str(wheel), torch)
