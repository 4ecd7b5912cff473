"""Runs the examples of all docstrings, and checks that every public definition has one."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent

RECORDS = "pi_bench/report/documents/"
"""Types of JSON objects: the description of each field says more than an example of a constructor."""

NOT_VERBS = (
    "A All An And As At Both By Each Every For From How If In It Its No Not Of On One Only Or Same "
    "That The These They This Those To What When Where Whether Which Who Whose Why With"
)
"""First words that begin a clause or a noun phrase, where a function's docstring needs a verb."""

CLAUSES = "As For How If In That To What When Where Whether Which Who Whose Why"
"""First words that begin a clause, where a class's docstring names the thing."""

VERBS_OF_FUNCTIONS = "Computes Counts Finds Gives Lists Returns Says Tells"
"""First words of functions, where a property's docstring names the value."""

FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def source_files() -> list[Path]:
    folders = ("pi_bench", "protocols", "models")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(path for path in files if path.name != "__main__.py")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    installed = parts if parts[0] == "pi_bench" else ("pi_bench", *parts)
    return ".".join(installed).removesuffix(".__init__")


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Definition | ast.Module):
            yield inspect.cleandoc(ast.get_docstring(node) or "")


def has_example(docstring: str) -> bool:
    return ">>> " in docstring or "```python" in docstring


def public_definitions() -> Iterator[tuple[str, Definition]]:
    """Yields the place and the node of every module-level definition of the package."""
    for path in source_files():
        place = path.relative_to(ROOT).as_posix()
        private = path.name.startswith("_") and path.name != "__init__.py"
        if private or place.startswith(RECORDS):
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, Definition) and not node.name.startswith("_"):
                yield f"{place}:{node.lineno} {node.name}", node


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "path",
    [path for path in source_files() if has_example(path.read_text())],  # faster than to parse each
    ids=lambda path: module_name(path),
)
def test_examples_give_what_they_show(path: Path) -> None:
    module = importlib.import_module(module_name(path))
    report: list[str] = []
    with np.printoptions(precision=4, suppress=True, linewidth=100):
        for example in doctest.DocTestFinder(exclude_empty=True).find(module):
            doctest.DocTestRunner(optionflags=FLAGS).run(example, out=report.append)
        for docstring in docstrings(path):
            for block in FENCED.findall(docstring):
                if ">>> " not in block:
                    exec(compile(block, f"<example of {module.__name__}>", "exec"), dict(vars(module)))
    assert not report, "\n".join(report)


def test_every_public_definition_has_an_example() -> None:
    missing = [
        place for place, node in public_definitions() if not has_example(ast.get_docstring(node) or "")
    ]
    assert not missing


def starts_with_a_verb(word: str) -> bool:
    """Says whether a docstring's first word is a verb in the third person: "Returns", not "Return"."""
    return word.rstrip(",").endswith("s") and word not in NOT_VERBS.split()


def starts_well(node: Definition, word: str) -> bool:
    """Applies the rule: a class names the thing or starts with a verb, a property names the value."""
    decorators = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
    if isinstance(node, ast.ClassDef):
        return word not in CLAUSES.split()
    if decorators & {"property", "cached_property"}:
        return word not in VERBS_OF_FUNCTIONS.split()
    return starts_with_a_verb(word)


def members(node: Definition) -> Iterator[ast.FunctionDef]:
    """Yields the public methods and properties of a class that have a docstring."""
    for member in node.body if isinstance(node, ast.ClassDef) else ():
        is_public = isinstance(member, ast.FunctionDef) and not member.name.startswith("_")
        if is_public and ast.get_docstring(member):
            yield member


def test_docstrings_begin_as_they_should() -> None:
    """A function's first paragraph starts with a verb, and each paragraph ends with a period."""
    wrong = []
    for place, definition in public_definitions():
        for node in (definition, *members(definition)):
            paragraph = inspect.cleandoc(ast.get_docstring(node) or "").split("\n\n")[0]
            word = paragraph.split(maxsplit=1)[0] if paragraph else ""
            whole = paragraph.endswith((".", ":"))
            if not (word[:1].isupper() or word[:1] == "`") or not starts_well(node, word) or not whole:
                wrong.append(f"{place}.{node.name}: {paragraph[:60]!r}")
    assert not wrong
