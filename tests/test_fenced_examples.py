"""Checks the types of the examples that are shown and not run: fenced blocks of docstrings and documents.

An example without ``>>>`` needs a model file or a second process. mypy finds a wrong name, attribute or
argument in it all the same.
"""

from __future__ import annotations

import ast
import builtins
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docstrings import FENCED, ROOT, docstrings, module_name, source_files

DOCUMENTS = ("README.md", "docs/recipes.md", "docs/training.md", "docs/your-network.md")
"""Those whose examples no other test runs."""

IMPORTED = ("pi_bench", "torch")
"""Packages that examples of documents may use without an import. Other names stand for the reader's own."""

OURS = ("pi_bench", "protocols", "models")
UNREAD = (
    *(f"torch.{name}" for name in ("_decomp", "_dynamo", "_export", "_functorch", "_higher_order_ops")),
    *(f"torch.{name}" for name in ("_inductor", "_logging", "_prims", "_prims_common", "_refs")),
    *(f"torch.{name}" for name in ("_subclasses", "ao", "distributed", "fx.experimental", "onnx", "testing")),
    *("matplotlib", "networkx", "scipy", "sklearn", "sympy"),
)
"""Packages that no example names: what mypy would read there takes three quarters of its time."""

SETTINGS = f"""
[mypy]
strict = True
[mypy-{",".join(f"{package}.*" for package in OURS)}]
# An example needs the declarations of our packages, and `make lint` checks the bodies.
ignore_errors = True
[mypy-{",".join(f"{package}.*" for package in UNREAD)}]
follow_imports = skip
"""


def names_in(code: str, context: type[ast.expr_context]) -> set[str]:
    found = {
        node.id
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Name) and isinstance(node.ctx, context)
    }
    quoted = [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
    if context is ast.Load:  # annotations in quotes, such as "Setting"
        found |= {
            text for text in quoted if isinstance(text, str) and text.isidentifier() and text[0].isupper()
        }
    return found


def defined_in(code: str) -> set[str]:
    """Names that the code itself defines: variables, parameters, imports, functions and classes."""
    names = names_in(code, ast.Store)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return names


def missing_in(code: str) -> list[str]:
    return sorted(names_in(code, ast.Load) - defined_in(code) - set(dir(builtins)))


def examples() -> Iterator[tuple[str, str]]:
    """Yields the place and the code of every example: a function that gets the names of its surroundings."""
    for path in source_files():
        text, module = path.read_text(), module_name(path)
        if "```python" not in text:  # most files: parsing takes longer than the rest
            continue
        top_level = defined_in(text)
        for docstring in docstrings(path):
            for block in FENCED.findall(docstring):
                if ">>> " not in block:
                    known = [name for name in missing_in(block) if name in top_level]
                    start = f"from {module} import {', '.join(known)}\n" if known else ""
                    yield module, f"def example() -> None:\n{textwrap.indent(start + block, '    ')}"
    for name in DOCUMENTS:
        for block in FENCED.findall((ROOT / name).read_text()):
            missing = missing_in(block)
            imports = "".join(f"import {each}\n" for each in missing if each in IMPORTED)
            given = ", ".join(f"{each}: Any" for each in missing if each not in IMPORTED)
            yield name, f"def example({given}) -> None:\n{textwrap.indent(imports + block, '    ')}"


@pytest.mark.exhaustive
def test_names_and_arguments_of_examples_exist(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    places, lines = [], ["from typing import Any"]
    for place, code in examples():
        # Protocols and models lie outside the package in a checkout, where mypy finds them.
        code = re.sub(r"\bpi_bench\.(protocols|models)\b", r"\1", code)
        start = len(lines) + 1
        lines += code.replace("def example(", f"def example_{len(places)}(").split("\n")
        places.append((start, place))
    file, settings = tmp_path / "fenced_examples.py", tmp_path / "mypy.ini"
    file.write_text("\n".join(lines))
    settings.write_text(SETTINGS)
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--implicit-reexport", "--no-error-summary"),
            *("--config-file", str(settings), "--cache-dir", ".mypy_cache/fenced_examples"),
            *("--allow-untyped-defs", "--allow-incomplete-defs", "--check-untyped-defs", str(file)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    wrong = []
    for number, message in re.findall(r"fenced_examples\.py:(\d+): error: (.*)", checked.stdout):
        place = next(place for start, place in reversed(places) if start <= int(number))
        wrong.append(f"{place}: {message} in {lines[int(number) - 1].strip()!r}")
    assert not wrong, "\n".join(wrong)
    assert len(places) > 60 and checked.returncode == 0, checked.stdout + checked.stderr
