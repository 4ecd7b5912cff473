"""The stubs of the compiled module name the parameters that the bindings have.

stubtest compares names of functions and classes, but cannot read the signatures of compiled functions.
pybind11 writes them as the first line of each docstring.
"""

import ast
import dataclasses
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from pi_bench import _native
from pi_bench.crypto import fss_arguments, gadget_arguments

STUBS = Path(__file__).parents[2] / "pi_bench" / "_native"
MODULES = {
    "symmetric.pyi": _native.symmetric,
    "checksum.pyi": _native.checksum,
    "channel.pyi": _native.channel,
    "ot.pyi": _native.ot,
    "ferret.pyi": _native.ferret,
    "garble.pyi": _native.garble,
    "fss.pyi": _native.fss,
    "linear.pyi": _native.linear,
    "plain.pyi": _native.plain,
    "schedule.pyi": _native.schedule,
    "he/__init__.pyi": _native.he,
    "he/parts.pyi": _native.he.parts,
}

RECORDS = {
    ("fss.pyi", "request"): (fss_arguments.FssCall, fss_arguments.RequestArguments),
    ("fss.pyi", "answer"): (fss_arguments.FssCall, fss_arguments.AnswerArguments),
    ("fss.pyi", "grow"): (fss_arguments.FssCall, fss_arguments.GrowArguments),
    ("fss.pyi", "encode"): (fss_arguments.FssCall, fss_arguments.FssEncodeArguments),
    ("fss.pyi", "evaluate"): (fss_arguments.FssCall, fss_arguments.FssEvaluateArguments),
    ("garble.pyi", "garble"): (gadget_arguments.GadgetCall, gadget_arguments.GarbleArguments),
    ("garble.pyi", "accept"): (gadget_arguments.GadgetCall, gadget_arguments.AcceptArguments),
    ("garble.pyi", "encode"): (gadget_arguments.GadgetCall, gadget_arguments.EncodeArguments),
    ("garble.pyi", "evaluate"): (gadget_arguments.GadgetCall, gadget_arguments.EvaluateArguments),
}
"""The records that `as_keywords` turns into the keyword arguments of a kernel."""


def shape_of(function: ast.FunctionDef) -> dict[str, object]:
    """Names, kinds and defaults of the parameters; the types are mypy's concern."""
    arguments = function.args
    return {
        "positional": [argument.arg for argument in arguments.args],
        "keyword-only": [argument.arg for argument in arguments.kwonlyargs],
        "defaults": [ast.literal_eval(default) for default in arguments.defaults],
    }


def functions_of_stub(path: Path) -> dict[str, dict[str, object]]:
    body = ast.parse(path.read_text()).body
    found = {node.name: shape_of(node) for node in body if isinstance(node, ast.FunctionDef)}
    for owner in (node for node in body if isinstance(node, ast.ClassDef)):
        for method in owner.body:
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                found[owner.name] = shape_of(method)
    return found


def functions_of_module(module: ModuleType) -> dict[str, dict[str, object]]:
    found = {}
    for name, value in vars(module).items():
        if (
            isinstance(value, type)
            and not issubclass(value, Exception)
            and value.__init__.__doc__.startswith("__init__(")
        ):
            found[name] = shape_of(parsed(value.__init__.__doc__))
        elif inspect.isroutine(value):
            found[name] = shape_of(parsed(value.__doc__))
    return found


def parsed(doc: str) -> ast.FunctionDef:
    (function,) = ast.parse(f"def {doc.splitlines()[0]}: ...").body
    assert isinstance(function, ast.FunctionDef)
    return function


@pytest.mark.parametrize("path", MODULES)
def test_parameters_are_those_of_the_bindings(path: str) -> None:
    assert functions_of_stub(STUBS / path) == functions_of_module(MODULES[path])


@pytest.mark.parametrize(("path", "kernel"), RECORDS)
def test_fields_of_the_records_are_the_keywords_of_their_kernel(path: str, kernel: str) -> None:
    fields = [field.name for record in RECORDS[path, kernel] for field in dataclasses.fields(record)]
    function = functions_of_stub(STUBS / path)[kernel]
    assert sorted(fields) == sorted([*function["positional"], *function["keyword-only"]])  # type: ignore[misc]


def test_every_stub_is_compared_and_none_has_any() -> None:
    texts = {path.relative_to(STUBS).as_posix(): path.read_text() for path in STUBS.rglob("*.pyi")}
    assert set(texts) - {"__init__.pyi"} == set(MODULES)
    assert not [name for name, text in texts.items() if re.search(r"\bAny\b", text)]
