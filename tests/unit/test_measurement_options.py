"""The table of options reaches the parsers, the Python functions and the measurement: none is forgotten."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import re
from pathlib import Path

import pytest

import pi_bench
from pi_bench.cli import main, measuring_options
from pi_bench.cli.parser import COMMANDS, make_parser
from pi_bench.measurement_options.option import declarations
from pi_bench.measurement_options.table import MeasurementOptions

TABLE = declarations(MeasurementOptions)
TYPES = {field.name: str(field.type) for field in dataclasses.fields(MeasurementOptions)}
PACKAGE = Path(pi_bench.__file__).parent

NO_OPTIONS = {"model", "example_input", "inputs", "protocol", "mode", "options"} | {
    *("predict", "limits", "progress"),
}
"""Parameters of `pi_bench.measure` that say what runs, and what else is found out."""


def test_each_option_for_python_is_a_parameter_of_measure_with_its_type_and_default() -> None:
    parameters = inspect.signature(pi_bench.measure).parameters
    declared = {name for name, option in TABLE.items() if option.in_python}
    assert set(parameters) - NO_OPTIONS == declared
    for name in declared:
        assert parameters[name].default == TABLE[name].default, name
        written = TYPES[name].replace("Link", "str") if name == "link" else TYPES[name]
        assert parameters[name].annotation == written, name


@pytest.mark.parametrize("function", [pi_bench.compare, pi_bench.inspect])
def test_the_other_functions_have_the_same_names_and_defaults(function: object) -> None:
    assert callable(function)
    shared = inspect.signature(function).parameters.keys() & TABLE.keys()
    assert {"threads"} <= shared
    for name in shared:
        assert inspect.signature(function).parameters[name].default == TABLE[name].default, name


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_the_options_that_name_it(command: str) -> None:
    (commands,) = (
        action for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    actions = {action.dest: action for action in commands.choices[command]._actions}
    for option in TABLE.values():
        assert set(option.commands) <= set(COMMANDS)
        if command in option.commands:
            action = actions[option.key]
            assert tuple(action.option_strings) == option.flags
            assert action.default == option.default
            assert "{" not in str(action.help)


@pytest.mark.slow
def test_every_option_is_read_by_name_and_comes_from_its_key() -> None:
    """An option that only the table names would do nothing."""
    read: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        read |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert TABLE.keys() <= read
    marks = {option.key: object() for option in TABLE.values()}
    made = measuring_options.options_of(argparse.Namespace(**marks, model="model.pt"))
    assert {TABLE[name].key: value for name, value in vars(made).items()} == marks


def test_connect_refuses_what_goes_with_one_machine_alone(capsys: pytest.CaptureFixture[str]) -> None:
    samples = {"link": ["lan"], "weight_cache_mb": ["1"], "ahead": ["2"], "explain": []}
    assert samples.keys() == {name for name, option in TABLE.items() if option.refusal}
    for name, words in samples.items():
        asked = ["latency", "--connect", "127.0.0.1:9", TABLE[name].flags[0], *words]
        assert main(asked) == 2
        assert TABLE[name].refusal in capsys.readouterr().err
    for name in (name for name, option in TABLE.items() if option.connected_only):
        words = [] if TYPES[name] == "bool" else ["1"]
        assert main(["latency", "model.pt", TABLE[name].flags[0], *words]) == 2
        assert re.search(f"{TABLE[name].flags[0]}.* go with --connect", capsys.readouterr().err)
