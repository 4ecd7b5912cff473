"""A sweep's folder keeps every result at once, and refuses what does not belong to it in one line."""

from __future__ import annotations

import csv
import dataclasses
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pi_bench.channel.link import Link
from pi_bench.errors import InputError, ModelError, OutputError, UsageError
from pi_bench.report.documents.latency import Result
from pi_bench.sweep import Network, Sweep, SweepCell, SweepFolder, cells_of, run_sweep
from tests.unit.report.screens import stored

NETWORKS = [Network("a", "digest a", Path("a.pt")), Network("b", "digest b", Path("b.pt"))]
CELLS = tuple(cells_of(NETWORKS, ["fss"], [None, Link.parse("lan")], [1]))
SWEEP = Sweep(CELLS, {"runs": 5})
RESULT = stored("latency", Result)


def run(path: Path, measure: Callable[[SweepCell], Result], sweep: Sweep = SWEEP) -> tuple[list[int], object]:
    """The numbers of the cells that ended, and the outcome."""
    ended: list[int] = []
    with SweepFolder(path, sweep) as folder:
        outcome = run_sweep(folder, sweep.cells, measure, lambda cell, found: ended.append(cell.number))
    return ended, outcome


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((path / "results.csv").read_text().splitlines()))


def test_a_failing_cell_does_not_end_the_sweep_and_is_tried_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def measure(cell: SweepCell) -> Result:
        calls.append(cell.number)
        if cell.number == 2 and calls.count(2) == 1:
            raise ModelError("no such\nlayer")
        if cell.number == 3 and calls.count(3) == 1:
            raise RuntimeError("a mistake")
        return RESULT

    ended, outcome = run(tmp_path, measure)
    assert ended == [1, 2, 3, 4]
    assert {cell.number: error for cell, error in outcome.failures.items()} == {
        2: "no such layer",
        3: "internal: RuntimeError: a mistake",
    }
    assert (tmp_path / "002-a-fss-lan-1-thread.error").read_text() == "no such layer\n"
    assert [row["error"] for row in table(tmp_path)] == [
        "",
        "no such layer",
        "internal: RuntimeError: a mistake",
        "",
    ]
    ended, outcome = run(tmp_path, measure)
    assert ended == [2, 3] and not outcome.failures  # finished cells are never measured again
    assert not list(tmp_path.glob("*.error"))
    assert [row["file"] for row in table(tmp_path)] == sorted(path.name for path in tmp_path.glob("*.json"))
    for path in tmp_path.glob("*.json"):
        assert json.loads(path.read_text())["network"]["name"] == RESULT.network.name


def test_networks_of_one_name_get_those_of_their_files(tmp_path: Path) -> None:
    run(tmp_path, lambda cell: RESULT)
    assert [row["network"] for row in table(tmp_path)] == ["a", "a", "b", "b"]
    with SweepFolder(tmp_path, SWEEP) as folder:
        assert [row["network"] for row in folder.finished_rows()] == ["a", "a", "b", "b"]
    one = Sweep(CELLS[:2], {"runs": 5})
    run(tmp_path / "one", lambda cell: RESULT, one)
    assert {row["network"] for row in table(tmp_path / "one")} == {RESULT.network.name}


def test_an_interruption_keeps_the_finished_cells_alone(tmp_path: Path) -> None:
    def measure(cell: SweepCell) -> Result:
        if cell.number == 2:
            signal.raise_signal(signal.SIGINT)
        return RESULT

    ended, outcome = run(tmp_path, measure)
    assert ended == [1] and outcome.interruption == 130
    assert [path.name for path in tmp_path.glob("*.json")] == ["001-a-fss-loopback-1-thread.json"]
    assert run(tmp_path, lambda cell: RESULT)[0] == [2, 3, 4]


def test_a_wrong_answer_is_a_failure(tmp_path: Path) -> None:
    import msgspec

    wrong = msgspec.structs.replace(
        RESULT,
        verification=msgspec.structs.replace(RESULT.verification, passed=False, failures=["layer 3 differs"]),
    )
    _, outcome = run(tmp_path, lambda cell: wrong)
    assert set(outcome.failures.values()) == {"verification failed: layer 3 differs"}
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Sweep(CELLS, {"runs": 3}), "its --runs is 5, and 3 is asked for"),
        (Sweep(CELLS, {"runs": 5, "warmup": 1}), "it has no --warmup, and 1 is asked for"),
        (Sweep(CELLS, {}), "its --runs is 5"),
        (
            Sweep(tuple(cells_of(NETWORKS, ["fss"], [None], [1])), {"runs": 5}),
            "it has link lan, which is not asked for",
        ),
        (
            Sweep(
                tuple(dataclasses.replace(c, network=Network("a", "new", Path("a.pt"))) for c in CELLS[:2]),
                {},
            ),
            "it has network b, which is not asked for",
        ),
        (
            Sweep(
                tuple(
                    dataclasses.replace(c, network=dataclasses.replace(c.network, identity="x"))
                    for c in CELLS
                ),
                {"runs": 5},
            ),
            "the network a has changed since",
        ),
    ],
)
def test_another_sweep_is_refused_with_the_difference(tmp_path: Path, other: Sweep, words: str) -> None:
    run(tmp_path, lambda cell: RESULT)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError) as refusal:
        run(tmp_path, lambda cell: RESULT, other)
    assert f"{tmp_path} holds another sweep: {words}; give another folder" in str(refusal.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_network_without_results_may_change(tmp_path: Path) -> None:
    """A damaged file can be repaired without losing the cells of the others."""

    def measure(cell: SweepCell) -> Result:
        if cell.network.name == "b":
            raise ModelError("b.pt is damaged")
        return RESULT

    assert run(tmp_path, measure)[0] == [1, 2, 3, 4]
    repaired = [NETWORKS[0], dataclasses.replace(NETWORKS[1], identity="repaired")]
    sweep = Sweep(tuple(cells_of(repaired, ["fss"], [None, Link.parse("lan")], [1])), {"runs": 5})
    with (
        SweepFolder(tmp_path, SWEEP),
        pytest.raises(UsageError, match="another command measures the sweep in"),
    ):
        run(tmp_path, lambda cell: RESULT, sweep)
    with (
        SweepFolder(tmp_path, sweep),
        pytest.raises(UsageError, match="another command measures the sweep in"),
    ):
        run(tmp_path, lambda cell: RESULT, sweep)
    with pytest.raises(UsageError, match="its --runs is 5, and 3 is asked for"):
        run(tmp_path, lambda cell: RESULT, dataclasses.replace(sweep, options={"runs": 3}))
    assert run(tmp_path, lambda cell: RESULT, sweep)[0] == [3, 4]
    with pytest.raises(UsageError, match="the network b has changed since"):
        run(tmp_path, lambda cell: RESULT)


def test_other_files_a_damaged_result_and_a_second_call_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("text")
    with pytest.raises(UsageError, match="holds other files and no sweep; give a new or an empty folder"):
        run(tmp_path, lambda cell: RESULT)
    folder = tmp_path / "sweep"
    run(folder, lambda cell: RESULT)
    with SweepFolder(folder, SWEEP), pytest.raises(UsageError, match="another command measures the sweep in"):
        run(folder, lambda cell: RESULT)
    (folder / "003-b-fss-loopback-1-thread.json").write_text("{}")
    with pytest.raises(InputError, match=r"003-b-fss-loopback-1-thread\.json is damaged, or another version"):
        run(folder, lambda cell: RESULT)
    (folder / "sweep.definition").write_text("[]")
    with pytest.raises(UsageError, match=r"sweep\.definition is damaged"):
        run(folder, lambda cell: RESULT)
    with pytest.raises(OutputError, match="cannot use /proc/none as the folder of a sweep"):
        run(Path("/proc/none"), lambda cell: RESULT)


def test_a_recipe_is_exported_once_and_names_never_share_a_model(tmp_path: Path) -> None:
    written: list[str] = []

    def network(name: str, identity: str) -> Network:
        def export(path: Path) -> None:
            written.append(identity)
            path.write_text(identity)

        return Network(name, identity, export=export)

    nets = [network("a/net", "11111111"), network("a-net", "22222222")]
    sweep = Sweep(tuple(cells_of(nets, ["fss"], [None], [1, 2])), {})

    def measure(cell: SweepCell) -> Result:
        assert folder.model_file(cell.network).read_text() == cell.network.identity
        return RESULT

    with SweepFolder(tmp_path, sweep) as folder:
        run_sweep(folder, sweep.cells, measure, lambda cell, found: None)
    assert written == ["11111111", "22222222"]


def test_names_of_files_are_short_and_plain() -> None:
    (cell,) = cells_of([Network(f"../{'ä' * 300}/net 1.pt", "0")], ["fss"], [None], [2])
    assert len(cell.stem.encode()) < 100 and "/" not in cell.stem and not cell.stem.startswith(".")
