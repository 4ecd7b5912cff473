"""The proof table: its networks, its figures of a result, and its continuation after a stop."""

import csv
import importlib
import io
import json
from pathlib import Path

import pytest

from benchmarks.proof import __main__ as command
from benchmarks.proof import measured_network
from benchmarks.proof.networks import NETWORKS, Network
from benchmarks.proof.table import as_csv, markdown

ROOT = Path(__file__).resolve().parents[3]
ONE, OTHER = NETWORKS[0], NETWORKS[1]


def figures(network: Network, protocol: str = "delphi", **changes: object) -> dict:
    """A record of a result."""
    recipe = importlib.import_module("pi_bench.models").load_recipe(network.recipe)
    exported = measured_network.Exported(network, recipe, Path("model.pt"), None)
    return measured_network.record(exported, result_of_a_run(protocol, **changes))


def result_of_a_run(protocol: str = "delphi", **changes: object) -> dict:
    """The fields of `pi-bench latency --json` that the table shows."""
    sent = {"client_to_server": 1_500_000, "server_to_client": 2_000_000}
    verification = {
        "passed": True,
        "max_ulp_error": 1,
        "mismatch_count": 0,
        "out_of_range_count": 0,
        "compared_count": 12_345,
        "argmax_agrees_with_float": True,
    }
    return {
        "network": {
            "relu_count": 13_000,
            "truncation_count": 7,
            "square_count": 5,
            "product_count": 6,
            "mac_count": 35_000_000,
        },
        "protocol": protocol,
        "mode": "windowed",
        "runs": 5,
        "online": {
            "latency_s": {"median": 0.0042, "q1": 0.004, "q3": 0.005, "min": 0.004, "max": 0.006},
            "wire_bytes": sent,
            "comm_round_count": 18.0,
        },
        "offline": {"time_s": 0.5, "wire_bytes": sent},
        "storage_bytes": {"client": 1, "server": 2},
        "peak_memory_bytes": {
            "client": {"set_up": 1, "offline": 120_000_000, "online": 3},
            "server": {"set_up": 1, "offline": 2, "online": 2_340_000_000},
        },
        "verification": verification | changes,
        "environment": {
            "cpu_model": "a processor",
            "usable_core_count": 2,
            "instruction_set": "aesni",
            "commit": "c0ffee",
            "time": "2026-01-02T03:04:05+00:00",
        },
        "cautions": [],
    }


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_the_papers_count_is_the_recipes(network: Network) -> None:
    recipe = importlib.import_module("pi_bench.models").load_recipe(network.recipe)
    relu_count = recipe.relu_count if network.masks is None else network.masks
    printed = network.paper.replace(",", "")
    if printed.endswith("K"):
        # Table 4 cuts off where it does not round.
        unit = 10.0 ** (3 - len(printed[:-1].partition(".")[2]))
        assert abs(float(printed[:-1]) * 1000 - relu_count) < unit
    elif printed:
        assert int(printed) == relu_count
    assert network.source


def test_every_network_of_the_issue_has_a_row() -> None:
    recipes = " ".join(network.name for network in NETWORKS)
    wanted = (
        "resnet18 resnet34 resnet50 resnet20 resnet32 resnet56 minionn wrn-22-8 vgg16 mobilenetv1 mobilenetv2"
    )
    assert [name for name in wanted.split() if name not in recipes] == []
    assert [network.masks for network in NETWORKS if network.masks] == [15_000, 25_000, 50_000]
    assert len({network.name for network in NETWORKS}) == len(NETWORKS)


def test_a_row_has_every_figure() -> None:
    row = markdown([figures(ONE, "fss")]).splitlines()[-1]
    for shown in (
        "fss",
        *(
            "2,820,740",
            "12,288",
            "12.28K (DeepReDuce, Table 4)",
            "13,000",
            "11",
            "35 M",
            "4.20 ms",
            "4.00 ms to 5.00 ms",
        ),
        *("500 ms", "1.5 / 2.0 MB", "0.12 / 2.34 GB", "passed, 12,345 values, at most 1 ulp"),
    ):
        assert f"| {shown} |" in row


def test_a_failed_verification_is_in_the_row() -> None:
    row = markdown([figures(ONE, passed=False, mismatch_count=3)]).splitlines()[-1]
    assert "**failed**: 3 wrong, 0 out of range" in row
    assert "passed" not in row


def test_masks_that_were_drawn_are_told() -> None:
    drawn = figures(ONE) | {"masks": measured_network.DRAWN}
    assert "drawn at random" in markdown([drawn])
    assert "drawn at random" not in markdown([drawn | {"masks": measured_network.TRAINED}])


def test_rows_that_were_measured_beside_other_work_are_told() -> None:
    quiet = figures(ONE)
    assert "†" not in markdown([quiet])
    lines = markdown([quiet, quiet | {"cautions": "load steal"}]).splitlines()
    assert [line.count("†") for line in lines if line.startswith("| ResNet18")] == [0, 1]
    assert "other programs took processor time, the hypervisor took processor time" in lines[-1]


def test_csv_has_a_column_for_each_figure() -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv([figures(ONE)])))
    assert row["online_s.median"] == "0.0042"
    assert row["peak_memory_bytes.server"] == "2340000000"


def test_trained_masks_are_taken_where_a_search_left_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands as they are run, for masks that were trained and for masks that are drawn."""
    commands: list[tuple[str, ...]] = []

    def pi_bench(*arguments: object) -> None:
        commands.append(tuple(map(str, arguments)))
        if arguments[0] == "latency":
            Path(str(arguments[-1])).write_text(json.dumps(result_of_a_run()))

    monkeypatch.setattr(measured_network, "_pi_bench", pi_bench)
    network = next(network for network in NETWORKS if network.masks == 15_000)
    work, searched = tmp_path / "work", tmp_path / "snl"
    drawn = measured_network.measure(measured_network.export(network, work, searched), "fss")
    assert drawn["masks"] == measured_network.DRAWN and drawn["relu_count"] == 15_000
    assert "kept_relus = 15000" in (work / f"{network.name}.toml").read_text()

    folder = searched / "networks" / "15000"
    folder.mkdir(parents=True)
    (folder / "state.pt").touch()
    recipe = (work / f"{network.name}.toml").read_text().replace("class_count = 100", "class_count = 10")
    (folder / "recipe.toml").write_text(recipe)
    commands.clear()
    trained = measured_network.measure(measured_network.export(network, work, searched), "fss")
    assert trained["masks"] == measured_network.TRAINED
    assert trained["parameter_count"] < drawn["parameter_count"]
    export, latency = commands
    assert export[:5] == (
        "export",
        "--recipe",
        str(folder / "recipe.toml"),
        "--weights",
        str(folder / "state.pt"),
    )
    assert latency[1] == export[-1] and latency[2:4] == ("--protocol", "fss")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs the command in an empty folder; the networks and protocols that it measured."""
    docs, measured = tmp_path / "docs", []
    docs.mkdir()
    (docs / "networks.md").write_text(f"before\n{command.BEGIN}\nold\n{command.END}\nafter\n")

    def export(network: Network, folder: Path, searched: Path) -> measured_network.Exported:
        folder.mkdir(exist_ok=True)
        return measured_network.Exported(network, None, folder / "model.pt", None)

    def measure(exported: measured_network.Exported, protocol: str) -> dict:
        measured.append((exported.network.name, protocol))
        if exported.network is OTHER and protocol == "fss":
            raise measured_network.FailedRow("pi-bench latency: out of luck")
        return figures(exported.network, protocol)

    def run(*arguments: str) -> tuple[int, list[tuple[str, str]]]:
        measured.clear()
        folders = ("--work", str(tmp_path / "work"), "--docs", str(docs))
        return command.main([*arguments, *folders]), list(measured)

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(command, "export", export)
    return run


def rows_of(*networks: Network) -> list[tuple[str, str]]:
    return [(network.name, protocol) for network in networks for protocol in ("delphi", "fss")]


def test_what_is_measured_is_not_measured_again(run, tmp_path: Path) -> None:
    assert run("--only", ONE.name, "--protocols", "fss") == (0, [(ONE.name, "fss")])
    assert run("--only", ONE.name) == (0, [(ONE.name, "delphi")])
    assert run("--only", ONE.name) == (0, [])
    assert run("--only", ONE.name, "--again") == (0, rows_of(ONE))
    page = (tmp_path / "docs" / "networks.md").read_text()
    assert page.startswith("before\n") and page.endswith("\nafter\n") and "old" not in page
    assert page.count("4.20 ms") == 2


def test_a_failure_leaves_the_other_rows_and_the_exit_code_tells(run, tmp_path: Path, capsys) -> None:
    assert run("--only", ONE.name, OTHER.name) == (1, rows_of(ONE, OTHER))
    assert f"{OTHER.name}, fss: pi-bench latency: out of luck" in capsys.readouterr().err
    stored = json.loads((tmp_path / "docs" / "networks" / "figures.json").read_text())
    assert [(record["name"], record["protocol"]) for record in stored] == rows_of(ONE, OTHER)[:3]


def test_rows_that_are_not_measured_keep_their_figures(run, tmp_path: Path) -> None:
    figures_file = tmp_path / "docs" / "networks" / "figures.json"
    figures_file.parent.mkdir()
    last = NETWORKS[-1]
    figures_file.write_text(json.dumps([figures(last)]))
    run("--only", ONE.name)
    stored = json.loads(figures_file.read_text())
    assert [(record["name"], record["protocol"]) for record in stored] == rows_of(ONE, last)[:3]


def test_an_unknown_network_is_named(run, capsys) -> None:
    assert run("--only", "resnet17") == (2, [])
    assert "no network 'resnet17'; there are resnet18-cifar100-12288" in capsys.readouterr().err


def test_the_page_shows_the_figures_that_are_stored() -> None:
    """Nobody edits the table by hand, or one file without the others."""
    stored = json.loads((ROOT / "docs/networks/figures.json").read_text())
    page = (ROOT / "docs/networks.md").read_text()
    assert f"{command.BEGIN}\n\n{markdown(stored)}\n\n{command.END}" in page
    assert (ROOT / "docs/networks/figures.csv").read_text() == as_csv(stored)
    assert {network.name for network in NETWORKS} == {record["name"] for record in stored}
    assert all(record["verified"] for record in stored)
