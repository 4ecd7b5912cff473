"""The checks, one session each: `nox` runs them all, `nox -s lint` one."""

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "native"]

PYTHON_ROOTS = ("pi_bench", "protocols", "models", "tests", "benchmarks", "noxfile.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Format, style and spelling."""
    session.install("ruff", "codespell", "clang-format")
    session.run("ruff", "format", "--check", *PYTHON_ROOTS)
    session.run("ruff", "check", *PYTHON_ROOTS)
    session.run("codespell", "pi_bench", "protocols", "models", "native", "tests", "docs", "README.md")
    sources = session.run("git", "ls-files", "native/*.h", "native/*.cpp", external=True, silent=True)
    session.run("clang-format", "--dry-run", "--Werror", *sources.split())


@nox.session
def types(session: nox.Session) -> None:
    """mypy strict, and the layering contract, on an editable install."""
    session.install("torch==2.13.0")
    session.install("-e", ".[test]", "mypy", "import-linter")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def test(session: nox.Session) -> None:
    """The Python tests."""
    session.install("torch==2.13.0")
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(venv_backend="none")
def native(session: nox.Session) -> None:
    """The C++ tests, warnings as errors, then under the sanitizers."""
    for preset in ("release", "sanitize"):
        session.run("cmake", "--preset", preset)
        session.run("cmake", "--build", "--preset", preset, "--parallel", "2")
        session.run("ctest", "--preset", preset)


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks, their report stored."""
    session.install("torch==2.13.0")
    session.install("-e", ".[test]")
    session.run("pytest", "benchmarks", "--benchmark-enable", "--benchmark-autosave", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """A wheel holds pi_bench and nothing else, and works from an empty folder."""
    session.install("build")
    session.run("python", "-m", "build", "--wheel", "--outdir", "dist")
    session.run("python", "tests/check_wheel.py", "dist")
