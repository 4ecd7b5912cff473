"""A small network for every test that needs a model: residual, culled and masked ReLUs, pooling."""

from __future__ import annotations

import argparse
import dataclasses
import gc
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from pi_bench.costs import LIMIT_NAMES, Costs
from pi_bench.hybrid.fixed_steps import FIXED_UNITS
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    ConvNode,
    FlattenNode,
    Graph,
    InputNode,
    LinearNode,
    OutputNode,
    ReluNode,
)
from pi_bench.network.graph.float_run import calibrate
from pi_bench.prediction.costs_file import write_costs
from pi_bench.prediction.limits import Limits
from pi_bench.prediction.limits_file import write_limits
from pi_bench.primitives.built_in import UNITS
from tests import torch_tables
from tests.forked_starts import ForkedStarts, forked_starts

gc.disable()  # until pytest_collection_finish: nothing that imports make becomes garbage

settings.register_profile(
    "same verdict twice",
    derandomize="PI_BENCH_FUZZ" not in os.environ,  # `make fuzz` draws new examples
    suppress_health_check=[HealthCheck.too_slow],  # other programs may use the machine
    deadline=None,
)
settings.load_profile("same verdict twice")


def pytest_configure() -> None:
    """Lets Ctrl-C reach the commands under test.

    A shell without job control makes its background jobs and their children ignore it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets every test find a sentence of a report in one line."""
    monkeypatch.setenv("COLUMNS", "500")


SLOW = {
    "process": (
        "cli",
        "unit/launch",
        "unit/benchmarks",
        "unit/crypto/test_secret.py",
        "unit/network/program/test_program_bounds.py",
        "unit/page/test_accessibility.py",
        "unit/page/test_browser.py",
        "unit/page/test_chooser.py",
        "unit/page/test_media.py",
        "unit/page/test_row_names.py",
        "unit/session/test_session.py",
        "unit/test_exporting.py",
        "unit/test_forked_starts.py",
        "unit/test_python_interface.py",
        "unit/test_pytest_plugin.py",
    ),
    "training": (
        "unit/models/training",
        "unit/models/reduction",
        "unit/models/linearization",
        "unit/models/data",
    ),
    "law": ("laws",),
    "exhaustive": (
        "contract",
        "unit/crypto/he",
        "unit/crypto/test_gadget_law.py",
        "unit/models/merging",
        "unit/models/test_every_recipe.py",
        "unit/models/test_families.py",
        "unit/models/test_fusion_plans.py",
        "unit/models/test_recipe_export.py",
        "unit/models/test_recipe_counts.py",
        "unit/network/interchange/test_onnx_node_suite.py",
        "unit/network/interchange/test_onnx_spellings.py",
        "unit/network/lowering/test_spellings.py",
    ),
    "slow": (
        "unit/crypto/test_fss_server_view.py",
        "unit/network/fusion/test_pieces.py",
        "unit/network/interchange/test_onnx_fuzz.py",
    ),
}
"""The tests that `make test-quick` leaves out, by marker: folders and files of tests/."""


LONG = (
    "unit/models/reduction/test_engines.py",
    "contract/test_messages.py",
    "cli/test_reduce.py",
    "unit/models/test_every_recipe.py",
    "unit/models/reduction/test_darts.py",
    "unit/network/interchange/test_onnx_node_suite.py",
    "contract/test_operators.py",
    "unit/crypto/test_gadget_law.py",
    "cli/test_reduce_nas.py",
    "cli/test_reduce_objective.py",
    "unit/models/reduction/test_plan.py",
    "cli/test_interruption.py",
    "cli/test_floor.py",
    "unit/test_pytest_plugin.py",
    "laws/test_exactness.py",
    "unit/crypto/he/test_copies.py",
    "cli/test_two_machines.py",
    "test_docstrings.py",
    "test_fenced_examples.py",
    "cli/test_serve_infer.py",
    "cli/test_streams.py",
    "cli/test_latency.py",
    "cli/test_table.py",
    "cli/test_sweep.py",
    "cli/test_compare.py",
    "cli/test_isolation.py",
    "cli/test_reduce_safenet.py",
    "cli/test_reduce_autorep.py",
    "cli/test_reduce_population.py",
    "cli/test_fidelity.py",
    "cli/test_accuracy.py",
    "cli/test_toy.py",
    "cli/test_report.py",
    "unit/crypto/test_fss_views.py",
    "unit/crypto/test_fss_server_view.py",
    "unit/crypto/he/test_linear.py",
)
"""Files that take 10 s or more, the longest first. They start first, so that no process waits for one at the
end."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out slow files where ``-m "not MARKER and not MARKER"`` does, so that nobody imports them.

    Otherwise `make test-quick` would spend a third of its time on the import of tests that it does not run.
    """
    terms = str(config.option.markexpr).split(" and ")
    if not all(re.fullmatch(r"not \w+", term) for term in terms):
        return None
    root = Path(__file__).parent
    places = [root / place for marker, places in SLOW.items() if f"not {marker}" in terms for place in places]
    return any(collection_path.is_relative_to(place) for place in places) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test with the reason why it is slow (SLOW), and puts the long files first (LONG)."""
    root = Path(__file__).parent
    order = {root / name: index for index, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path, len(order)))
    paths = {item.path for item in items}  # a file has many tests: each is compared with the places once
    for marker, places in SLOW.items():
        slow = {path for path in paths if any(path.is_relative_to(root / place) for place in places)}
        for item in items:
            if item.path in slow:
                item.add_marker(marker)


def pytest_collection_finish() -> None:
    """Makes traces of small networks cheap, where a test module imported torch; collects garbage again.

    The objects of imports and of tests stay. Without `gc.freeze`, each search for garbage would visit them.
    """
    torch_tables.keep()
    gc.freeze()
    gc.enable()


def pytest_runtest_setup() -> None:
    """Gives torch one thread and the same numbers, whatever the test before chose and drew.

    Two processes test at once on two cores, and torch's threads use a core while they wait for each other: a
    law took thirteen times as long. Weights that a test draws decide whether the bits of an export suffice.
    """
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def forks() -> Iterator[ForkedStarts]:
    """Starts commands and parties as forks of a process that has imported their modules."""
    with forked_starts() as starts:
        yield starts


@pytest.fixture
def new_interpreters(forks: ForkedStarts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts every process as a new interpreter, for tests of the start itself."""
    monkeypatch.setattr(forks, "suspended", True)


@pytest.fixture(scope="session", autouse=True)
def made_up_costs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Costs]:
    """The costs for predictions in tests, in processes of commands too: nothing is measured."""
    costs = Costs(
        {name: 1e-8 * (1 + i) for i, name in enumerate((*UNITS, *FIXED_UNITS))}, 1, {"cpu_model": "made up"}
    )
    path = tmp_path_factory.mktemp("costs") / "costs.json"
    write_costs(costs, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PI_BENCH_COSTS", str(path))
        yield costs


@pytest.fixture(scope="session", autouse=True)
def made_up_limits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limits]:
    """The limits of the machine in tests, in processes of commands too: nothing is measured."""
    limits = Limits(dict.fromkeys(LIMIT_NAMES, 1e-12), 1, time="2026-11-29T12:00:00+00:00")
    path = tmp_path_factory.mktemp("limits") / "limits.json"
    write_limits(limits, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PI_BENCH_LIMITS", str(path))
        yield limits


@pytest.fixture(scope="session", autouse=True)
def history_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The database in which commands keep their runs in tests, in their own processes too."""
    path = tmp_path_factory.mktemp("history") / "history.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PI_BENCH_HISTORY", str(path))
        yield path


@pytest.fixture(scope="session")
def parser() -> argparse.ArgumentParser:
    """The parser of all commands, which takes 20 ms to make. Reading words does not change it."""
    from pi_bench.cli.parser import make_parser

    return make_parser()


@pytest.fixture(scope="session")
def tiny_graph() -> Graph:
    """Input (2, 6, 6), three classes with labels."""
    generator = np.random.default_rng(3)

    def weight(*shape: int) -> np.ndarray:
        return generator.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)

    nodes = (
        InputNode("input", (), (2, 6, 6)),
        ConvNode("stem", ("input",), (4, 6, 6), "stem.weight", "stem.bias", (1, 1), (1, 1)),
        ReluNode("stem.relu", ("stem",), (4, 6, 6), "stem.mask"),
        ConvNode("body", ("stem.relu",), (4, 6, 6), "body.weight", None, (1, 1), (1, 1)),
        AddNode("sum", ("body", "stem.relu"), (4, 6, 6)),
        ReluNode("sum.relu", ("sum",), (4, 6, 6)),
        AvgPoolNode("pool", ("sum.relu",), (4, 1, 1), (6, 6), (6, 6), (0, 0)),
        FlattenNode("flatten", ("pool",), (4,)),
        LinearNode("head", ("flatten",), (3,), "head.weight", "head.bias"),
        OutputNode("output", ("head",), (3,)),
    )
    parameters = {
        "stem.weight": weight(4, 2, 3, 3),
        "stem.bias": weight(4, 1).reshape(4) * np.float32(0.1),
        "body.weight": weight(4, 4, 3, 3),
        "head.weight": weight(3, 4),
        "head.bias": weight(3, 1).reshape(3) * np.float32(0.1),
    }
    masks = {"stem.mask": generator.random((4, 6, 6)) < 0.5}
    graph = Graph(nodes, parameters, masks, labels=("cat", "dog", "owl"), meta={"name": "tiny"})
    return dataclasses.replace(graph, ranges=calibrate(graph, generator.normal(size=(256, 2, 6, 6))))


@pytest.fixture(scope="session")
def model_file(tiny_graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny_graph` as ``model.pt``."""
    from pi_bench.network.files.model_file import save_model

    path = tmp_path_factory.mktemp("model") / "model.pt"
    save_model(tiny_graph, path)
    return path


@pytest.fixture(scope="session")
def tiny_input() -> np.ndarray:
    """Float32 (2, 6, 6), within the calibrated range."""
    return np.random.default_rng(9).normal(size=(2, 6, 6)).clip(-2, 2).astype(np.float32)
