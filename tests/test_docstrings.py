"""Runs the examples of all docstrings, and checks that every public definition has one."""

from __future__ import annotations

import ast
import doctest
import gc
import importlib
import linecache
import os
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

ENTRIES = re.compile(r"^(Args|Attributes):\n((?:    .*(?:\n|$))+)", re.MULTILINE)
ENTRY = re.compile(r"^    (\w+(?:, \w+)*): ", re.MULTILINE)
STRAY_ENTRY = re.compile(r"(?:^|(?<=[.;] ))(?:`[a-z_]\w*`|[a-z_]\w*)(?:, `?[a-z_]\w*`?)*: ")
"""An argument or a field at the start of a sentence of running text, with a colon after it."""

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
    tree = ast.parse(path.read_text())
    for node in (tree, *definitions(tree)):
        yield ast.get_docstring(node) or ""


def definitions(node: ast.AST) -> Iterator[Definition]:
    """Yields every function and class within a node, however deep, but enters no expression."""
    for field in ("body", "orelse", "handlers", "finalbody", "cases"):
        for inner in getattr(node, field, ()):
            if isinstance(inner, Definition):
                yield inner
            yield from definitions(inner)


def has_example(docstring: str) -> bool:
    return ">>> " in docstring or "```python" in docstring


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    """The syntax tree of every source file, parsed once."""
    gc.disable()  # which would look through half a million nodes again and again
    try:
        return {path: ast.parse(path.read_text()) for path in source_files()}
    finally:
        gc.enable()


Public = list[tuple[str, Definition]]


@pytest.fixture(scope="module")
def public_definitions(trees: dict[Path, ast.Module]) -> Public:
    """The place and the node of every module-level definition of the package."""
    found = []
    for path, tree in trees.items():
        place = path.relative_to(ROOT).as_posix()
        private = path.name.startswith("_") and path.name != "__init__.py"
        if private or place.startswith(RECORDS):
            continue
        for node in tree.body:
            if isinstance(node, Definition) and not node.name.startswith("_"):
                found.append((f"{place}:{node.lineno} {node.name}", node))
    return found


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "path",
    [path for path in source_files() if has_example(path.read_text())],  # faster than to parse each
    ids=lambda path: module_name(path),
)
def test_examples_give_what_they_show(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each run would ask the file system about every file whose lines are in memory.
    monkeypatch.setattr(linecache, "checkcache", lambda filename=None: None)
    place = os.sched_getaffinity(0), os.getcwd()
    module = importlib.import_module(module_name(path))
    report: list[str] = []
    with np.printoptions(precision=4, suppress=True, linewidth=100):
        for example in doctest.DocTestFinder(exclude_empty=True).find(module):
            doctest.DocTestRunner(optionflags=FLAGS).run(example, out=report.append)
        for docstring in docstrings(path) if "```python" in path.read_text() else ():
            for block in FENCED.findall(docstring):
                if ">>> " not in block:
                    exec(compile(block, f"<example of {module.__name__}>", "exec"), dict(vars(module)))
    assert not report, "\n".join(report)
    assert (os.sched_getaffinity(0), os.getcwd()) == place, "the next tests would run elsewhere"


def test_every_public_definition_has_an_example(public_definitions: Public) -> None:
    missing = [place for place, node in public_definitions if not has_example(ast.get_docstring(node) or "")]
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


def test_docstrings_begin_as_they_should(public_definitions: Public) -> None:
    """A function's first paragraph starts with a verb, and each paragraph ends with a period."""
    wrong = []
    for place, definition in public_definitions:
        for node in (definition, *members(definition)):
            paragraph = (ast.get_docstring(node) or "").split("\n\n")[0]
            word = paragraph.split(maxsplit=1)[0] if paragraph else ""
            whole = paragraph.endswith((".", ":"))
            if not (word[:1].isupper() or word[:1] == "`") or not starts_well(node, word) or not whole:
                wrong.append(f"{place}.{node.name}: {paragraph[:60]!r}")
    assert not wrong


def described(node: Definition) -> tuple[set[str], set[str]]:
    """Returns the arguments and the attributes of a function or class."""
    if not isinstance(node, ast.ClassDef):
        return {found.arg for found in ast.walk(node.args) if isinstance(found, ast.arg)}, set()
    attributes = {found.attr for found in ast.walk(node) if isinstance(found, ast.Attribute)}
    arguments: set[str] = set()
    for member in node.body:
        if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
            attributes.add(member.target.id)
        elif isinstance(member, ast.FunctionDef) and member.name == "__init__":
            arguments = described(member)[0]
        elif isinstance(member, ast.FunctionDef):
            attributes.add(member.name)
    return arguments, attributes


def running_text(docstring: str) -> Iterator[str]:
    """Yields each paragraph in one line: no examples, no tables, no sections such as `Raises`."""
    for paragraph in FENCED.sub("", docstring).split("\n\n"):
        if not paragraph.startswith(">>> ") and not re.search(r"^ ", paragraph, re.MULTILINE):
            yield paragraph.replace("\n", " ")


def wrong_entries(node: Definition) -> Iterator[str]:
    docstring = ast.get_docstring(node) or ""
    for text in running_text(docstring):
        yield from (match[0] for match in STRAY_ENTRY.finditer(text))
    for title, entries in ENTRIES.findall(docstring):
        arguments, attributes = described(node)
        known = arguments if title == "Args" else attributes
        named = [name for names in ENTRY.findall(entries) for name in names.split(", ")]
        yield from (f"{title}: {name}" for name in named if name not in known)
        for line in entries.splitlines():
            if not line.startswith("     ") and not ENTRY.match(line):
                yield f"{title}: {line}"


def test_arguments_and_attributes_stand_one_per_line_under_their_title(trees: dict[Path, ast.Module]) -> None:
    """`Args:` names arguments that exist, `Attributes:` fields that exist, and no other text lists any."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {text}"
        for path, tree in trees.items()
        for node in definitions(tree)
        for text in wrong_entries(node)
    ]
    assert not wrong
