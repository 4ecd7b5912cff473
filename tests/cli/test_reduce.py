"""`pi-bench reduce`: from a network to a measured frontier, and one line for whatever the user got wrong."""

import csv
import json
import shutil

import pytest

from pi_bench.cli.parser import make_parser
from pi_bench.cli.reduce.frontier import conclude
from pi_bench.errors import DataError, ModelError, OutputError, PiBenchError, UsageError
from pi_bench.network.files.model_file import load_model
from tests.installed import skip_without

skip_without("torch", "sklearn", "matplotlib")

from pi_bench.models.reduction.candidate import Candidate, with_frontiers
from pi_bench.models.reduction.pareto_table import write_table
from tests.small_recipe import RECIPE


def run(*arguments):
    parsed = make_parser().parse_args(["reduce", *map(str, arguments)])
    return parsed.run(parsed)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(RECIPE)
    return path


def search(small, folder, *more):
    fixed = ("--data", "digits", "--epochs", 1, "--device", "cpu", "--jobs", 1, "--runs", 1, "--warmup", 0)
    return run("deepreduce", "--network", small, "-o", folder, *fixed, *more)


def table_of(folder):
    with open(folder / "pareto.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def searched(small, tmp_path_factory):
    """A whole search, order given: a teacher and five networks, measured with real cryptography."""
    folder = tmp_path_factory.mktemp("searched")
    assert search(small, folder, "--order", "1,2") == 0
    return folder


def test_to_a_measured_frontier(searched):
    rows = table_of(searched)
    assert [row["step"] for row in rows] == ["", "1-cull", "1-thin", "1-alpha", "1-rho", "1-compound"]
    relus = [int(row["relu_count"]) for row in rows]
    assert relus == sorted(relus, reverse=True)
    for row in rows:
        network = searched / row["folder"]
        measured = json.loads((network / "latency.json").read_text())
        assert float(row["latency_s"]) == pytest.approx(measured["online"]["latency_s"]["median"], rel=1e-5)
        assert measured["verification"]["passed"]
        assert (measured["protocol"], measured["secure"]) == ("delphi", True)
        assert row["cautions"].split() == [caution["code"] for caution in measured["cautions"]]
        assert "few-runs" in row["cautions"]  # one run
        assert measured["network"]["relu_count"] == int(row["relu_count"])
        trained = json.loads((network / "result.json").read_text())
        assert float(row["test_accuracy_pct"]) == pytest.approx(trained["test_accuracy_pct"], rel=1e-5)
        assert trained["recipe"]["name"] == row["name"] == measured["network"]["name"]
    assert any(row["relu_frontier"] == "yes" for row in rows)
    assert any(row["latency_frontier"] == "yes" for row in rows)
    picture = (searched / "pareto.svg").read_text()
    assert picture.count("<svg") == 1


def test_the_same_command_again_does_nothing_twice(searched, small, capsys):
    before = {path: path.stat().st_mtime_ns for path in searched.rglob("*.*") if path.parent != searched}
    table, picture = (searched / "pareto.csv").read_bytes(), (searched / "pareto.svg").read_bytes()
    assert search(small, searched, "--order", "1,2") == 0
    assert {
        path: path.stat().st_mtime_ns for path in searched.rglob("*.*") if path.parent != searched
    } == before
    assert ((searched / "pareto.csv").read_bytes(), (searched / "pareto.svg").read_bytes()) == (
        table,
        picture,
    )
    out, err = capsys.readouterr()
    assert "from an earlier run" in err
    assert "6 networks" in out
    assert "caution: the figures of 6 of 6 measured networks are doubtful (" in err  # of an earlier command


def test_one_frontier_of_several_searches(searched, tmp_path, capsys):
    assert run("frontier", searched, searched, "-o", tmp_path / "both", "--title", "twice") == 0
    rows = table_of(tmp_path / "both")
    assert len(rows) == 12
    for row in rows:
        assert (tmp_path / "both" / row["folder"] / "model.pt").is_file()
    assert "12 networks" in capsys.readouterr().out
    assert (tmp_path / "both" / "pareto.svg").is_file()


@pytest.fixture
def predicted_search(tmp_path):
    """The files of a search to a predicted time that a frontier of several searches reads, and minds."""
    folder = tmp_path / "timed"
    folder.mkdir()
    (folder / "search.json").write_text("{}")
    times = [
        Candidate(
            name,
            "snl",
            f"pixel-{count}",
            count,
            test_accuracy_pct=accuracy,
            predicted_s=count / 1000,
            predicted_for="online, delphi, wan",
            folder=f"networks/{count}",
        )
        for name, count, accuracy in (("wide", 90, 95.0), ("narrow", 60, 91.0))
    ]
    write_table(folder / "pareto.csv", with_frontiers(times))
    return folder


def test_a_frontier_leaves_the_folders_of_searches_alone(predicted_search, tmp_path):
    before = (predicted_search / "pareto.csv").read_bytes()
    own = ("frontier", predicted_search, "--no-plot", "-o")
    with pytest.raises(
        OutputError, match=r"is one of the folders to combine, whose pareto\.csv would be lost"
    ):
        run(*own, tmp_path / "timed" / ".." / "timed")
    assert run(*own, tmp_path / "table") == 0
    with pytest.raises(OutputError, match=r"timed holds a search, .* name another folder"):
        run("frontier", tmp_path / "table", "--no-plot", "-o", predicted_search)
    with pytest.raises(OutputError, match=r"table is one of the folders to combine"):
        run("frontier", tmp_path / "table", predicted_search, "--no-plot", "-o", tmp_path / "table")
    assert (predicted_search / "pareto.csv").read_bytes() == before
    assert run(*own, tmp_path / "table") == 0  # which holds no search, and is not read


def test_a_frontier_keeps_predictions_that_compare(predicted_search, tmp_path, capsys):
    assert run("frontier", predicted_search, "--no-plot", "-o", tmp_path / "same") == 0
    rows = table_of(tmp_path / "same")
    kept = ("predicted_s", "predicted_for", "predicted_frontier")
    assert [[row[key] for key in kept] for row in rows] == [
        ["0.09", "online, delphi, wan", "yes"],
        ["0.06", "online, delphi, wan", "yes"],
    ]
    assert capsys.readouterr().err == ""

    other = tmp_path / "other"
    shutil.copytree(predicted_search, other)
    table = (other / "pareto.csv").read_text()
    (other / "pareto.csv").write_text(table.replace("delphi, wan", "fss, wan"))
    assert run("frontier", predicted_search, other, "--no-plot", "-o", tmp_path / "both") == 0
    assert {tuple(row[key] for key in kept) for row in table_of(tmp_path / "both")} == {("", "", "no")}
    said = capsys.readouterr().err
    assert "predicted times for online, delphi, wan and for online, fss, wan, which do not compare" in said


def test_measured_times_of_other_settings_have_no_frontier_together(tmp_path, capsys):
    def search(name, protocol):
        (tmp_path / name).mkdir()
        latency = {
            "protocol": protocol,
            "mode": "windowed",
            "options": {"sign_drop": 4},
            "link": {"name": "wan"},
            "online": {
                "latency_s": {"median": 0.25, "q1": 0.2, "q3": 0.3},
                "bytes": {"client_to_server": 1, "server_to_client": 2},
            },
            "offline": {"time_s": 1.0},
        }
        found = Candidate(name, "snl", "pixel-9", 9, 91.0, folder="networks/9").measured(latency)
        write_table(tmp_path / name / "pareto.csv", [found])
        return tmp_path / name

    first, second, third = search("first", "fss"), search("second", "fss"), search("third", "delphi")
    assert run("frontier", first, second, "--no-plot", "-o", tmp_path / "alike") == 0
    assert {row["latency_frontier"] for row in table_of(tmp_path / "alike")} == {"yes"}
    assert capsys.readouterr().err == ""
    assert run("frontier", first, third, "-o", tmp_path / "mixed") == 0
    rows = table_of(tmp_path / "mixed")
    assert {(row["latency_frontier"], row["latency_s"]) for row in rows} == {("no", "0.25")}
    settings = [f"{protocol}, wan, mode windowed, sign drop 4" for protocol in ("delphi", "fss")]
    assert f"times measured for {' and for '.join(settings)}, which do not compare" in capsys.readouterr().err
    assert b'id="axes_2"' not in (tmp_path / "mixed" / "pareto.svg").read_bytes()  # that over ReLUs alone


def test_a_network_above_its_budget_is_named(tmp_path):
    def network(name, predicted_s, **more):
        found = {"predicted_s": predicted_s, "predicted_for": "online, delphi, wan", "budget_s": 0.29}
        return Candidate(name, "snl", "pixel-9", 9, 91.0, **found | more)

    found = [network("slow", 0.2961), network("fast", 0.2899), network("free", 0.4, budget_s=None)]
    said = conclude(found, tmp_path, "SNL", plot=False, objective="online").splitlines()
    assert said[0].split("  ")[-1] == "frontier" and " predicted ms" in said[0]
    assert said[-3:-1] == [
        "on the frontier of accuracy over R: ReLUs, P: predicted time",
        "slow: predicted to take 296.1 ms with the bits of its export, above its budget of 290 ms",
    ]
    assert {row["name"]: row["budget_s"] for row in table_of(tmp_path)} == {
        "slow": "0.29",
        "fast": "0.29",
        "free": "",
    }


def test_networks_with_a_caution_are_counted(tmp_path, capsys):
    loud, still, other = (
        Candidate(name, "snl", "pixel-9", 9, 91.0, latency_s=0.25, cautions=cautions)
        for name, cautions in (("loud", ("load", "swap")), ("still", ()), ("other", ("load",)))
    )
    unmeasured = Candidate("unmeasured", "snl", "pixel-9", 9, 91.0)
    conclude([loud, still, other, unmeasured], tmp_path, "SNL", plot=False)
    assert capsys.readouterr().err == (
        "caution: the figures of 2 of 3 measured networks are doubtful (load, swap): the column cautions of "
        "pareto.csv says which; a search measures a network again if you delete its latency.json\n"
    )
    assert {row["name"]: row["cautions"] for row in table_of(tmp_path)} == {
        "loud": "load swap",
        "still": "",
        "other": "load",
        "unmeasured": "",
    }
    # So does a frontier of several searches, from their tables alone.
    assert run("frontier", tmp_path, "--no-plot", "-o", tmp_path / "both") == 0
    assert "figures of 2 of 3 measured networks" in capsys.readouterr().err
    assert table_of(tmp_path / "both")[0]["cautions"] == "load swap"
    conclude([still, unmeasured], tmp_path, "SNL", plot=False)
    assert capsys.readouterr().err == ""


def test_other_latency_settings_measure_again(searched, small, tmp_path, monkeypatch):
    asked = []

    def measure(model, result, flags):
        asked.append(flags)
        result.write_text((model.parent / "latency.json").read_text())

    monkeypatch.setattr("pi_bench.cli.reduce.latency_options._latency", measure)
    again = ("--order", "1,2", "--no-plot")
    assert search(small, searched, *again) == 0
    assert asked == []
    assert search(small, searched, *again, "--mode", "exact") == 0
    assert len(asked) == 6
    assert asked[0][:4] == ["--protocol", "delphi", "--mode", "exact"]


def test_a_network_that_is_wrong_in_private_is_listed(searched, small, monkeypatch):
    from pi_bench.errors import ConnectionFailedError, VerificationError

    def wrong(model, result, flags):
        raise VerificationError("layer stem.relu is off by one")

    def gone(model, result, flags):
        raise ConnectionFailedError("a party was killed")

    monkeypatch.setattr("pi_bench.cli.reduce.latency_options._latency", wrong)
    assert search(small, searched, "--order", "1,2", "--mode", "exact", "--no-plot") == 0
    rows = table_of(searched)
    assert all("layer stem.relu is off by one" in row["failure"] for row in rows)
    assert not any(row["latency_frontier"] == "yes" for row in rows)
    assert any(row["relu_frontier"] == "yes" for row in rows)
    monkeypatch.setattr("pi_bench.cli.reduce.latency_options._latency", gone)
    with pytest.raises(ConnectionFailedError):
        search(small, searched, "--order", "1,2", "--mode", "exact")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--epochs", 0], UsageError, "--epochs 0, allowed: 1 to 100000"),
        (["--order", "1,1"], UsageError, "must name each of the stages 1 to 2 once"),
        (["--order", "1,3"], UsageError, "must name each of the stages 1 to 2 once"),
        (["--alpha", 0], UsageError, "--alpha is 0, allowed: above 0, up to 1"),
        (["--alpha", 0.2], ModelError, "key 'alpha' scales widths [2, 4] to [0, 0]"),
        (["--data", "svhn"], UsageError, "there is no data set 'svhn'; there are digits, fashion-mnist"),
        (["--data", "cifar100"], DataError, "cifar-100-binary.tar.gz is missing: add --download"),
        (["--teacher", "nowhere"], ModelError, "--teacher nowhere is not the folder of a training"),
        (["--ray-address", "auto"], UsageError, "--ray-address goes with --engine ray"),
        (["--network", "resnet19"], UsageError, "there is no recipe 'resnet19'"),
        (["--mode", "fuzzy"], UsageError, "protocol delphi has no mode 'fuzzy'"),
    ],
)
def test_what_is_wrong_is_named(small, tmp_path, arguments, error, message):
    with pytest.raises(PiBenchError) as caught:
        search(small, tmp_path / "out", "--data-dir", tmp_path, *arguments)
    assert isinstance(caught.value, error)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file(small, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match=r"cannot use .*out as the output folder"):
        search(small, tmp_path / "out")


def test_no_folder_of_a_search(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read .*pareto\.csv"):
        run("frontier", tmp_path, "-o", tmp_path / "out")


def test_a_family_name_stands_for_its_full_network():
    from pi_bench import models

    assert models.full_recipe("resnet18", "tinyimagenet").name == "resnet18-tinyimagenet-2228224"
    assert models.full_recipe("resnet18", "digits").relu_count == 557_056
    assert models.full_recipe("resnet", "digits") is None
    assert (
        models.narrowed(models.full_recipe("resnet18", "cifar100"), 0.25).name == "resnet18-cifar100-139264"
    )


def test_a_search_without_any_trained_network_fails(searched, small, tmp_path, capsys):
    command = ("prune", "--network", small, "--teacher", searched / "teacher", *QUICK, "--jobs", 1)
    diverging = ("--finetune-learning-rate", 1e6, "--no-latency", "--no-plot")
    assert run(*command, *diverging, "--budget", 300, "-o", tmp_path / "out") == 9
    out, err = capsys.readouterr()
    assert "training diverged" in out and "0 of 1 networks on the ReLU frontier" in out
    assert "error: no network of the search could be trained: the lines below its table say why" in err


def test_merged_networks_run_in_private_beside_the_unmerged(searched, tmp_path, capsys):
    """A culled network: fewer rounds and truncations than as it was, measured with real cryptography."""
    fixed = ("--finetune-epochs", 2, "--device", "cpu", "--jobs", 1, "--runs", 1, "--warmup", 0, "--no-plot")
    culled = searched / "networks" / "1-cull"
    for _ in range(2):
        assert run("merge", culled, "-o", tmp_path, "--extent", "full", *fixed) == 0
    out, err = capsys.readouterr()
    assert "5 convolutions became 2" in err
    assert "\n1-cull (2 of 2): epoch 1 of 2" in err  # the finetuning follows the merging
    assert "5 to 2" in out and "wrote merging.csv" in out
    with open(tmp_path / "merging.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert int(row["truncation_count_merged"]) == 0 < int(row["truncation_count_unmerged"])
    assert float(row["comm_round_count_merged"]) < float(row["comm_round_count_unmerged"])
    assert float(row["inside_difference"]) < 1e-5 < float(row["border_difference"])
    assert all("few-runs" in row[f"cautions_{state}"] for state in ("unmerged", "kept_borders", "merged"))
    assert "the figures of 2 of 2 measured networks are doubtful" in err and "of merging.csv says" in err
    (merged,) = table_of(tmp_path)
    for folder in (merged["folder"], "merged/1-cull/unmerged", "merged/1-cull/kept-borders"):
        measured = json.loads((tmp_path / folder / "latency.json").read_text())
        assert measured["verification"]["passed"] and measured["protocol"] == "delphi"
        assert (measured["network"]["fusion"] is not None) == folder.endswith("kept-borders")
    # A merged network can be exported, and shares a frontier with the search that it comes from.
    recipe, weights = (tmp_path / merged["folder"] / name for name in ("recipe.toml", "state.pt"))
    parsed = make_parser().parse_args(
        ["export", "--recipe", str(recipe), "--weights", str(weights), "-o", str(tmp_path / "again.pt")]
    )
    assert parsed.run(parsed) == 0
    assert run("frontier", searched, tmp_path, "-o", tmp_path / "both", "--no-plot") == 0
    assert len(table_of(tmp_path / "both")) == 7


def test_what_is_wrong_with_a_merging_is_named(searched, tmp_path):
    for folders, error, message in (
        (["nowhere"], ModelError, "nowhere is not the folder of a finished training"),
        ([searched / "teacher"], ModelError, "there is nothing to merge in small-digits"),
        ([searched / "teacher", searched / "teacher"], UsageError, "have the same name"),
    ):
        with pytest.raises(PiBenchError) as caught:
            run("merge", *folders, "-o", tmp_path / "out", "--device", "cpu", "--jobs", 1)
        assert isinstance(caught.value, error) and message in str(caught.value)


QUICK = ("--data", "digits", "--epochs", 1, "--finetune-epochs", 1, "--device", "cpu", "--threads", 1)
LINEARIZING = ("--batch-size", 64, "--mask-learning-rate", 0.02, "--lasso", 0.03)


def test_snl_meets_its_budgets_in_private(searched, small, tmp_path, capsys):
    """Two processes with real cryptography run the reduced network, and the answer is verified."""
    fixed = (*QUICK, *LINEARIZING, "--jobs", 1, "--runs", 1, "--warmup", 0, "--no-plot")
    teacher = ("--teacher", searched / "teacher")
    assert run("snl", "--budget", 60, 200, *teacher, "--network", small, "-o", tmp_path, *fixed) == 0
    out, err = capsys.readouterr()
    assert "linearized: 60 ReLUs of the" in err
    assert "snl pixel-60" in out
    rows = {row["step"]: row for row in table_of(tmp_path)}
    assert list(rows) == ["pixel-200", "pixel-60"]  # the teacher is another search's
    for budget in (200, 60):
        row = rows[f"pixel-{budget}"]
        measured = json.loads((tmp_path / row["folder"] / "latency.json").read_text())
        assert int(row["relu_count"]) == measured["network"]["relu_count"] == budget
        assert measured["verification"]["passed"]
        assert measured["protocol"] == "delphi"
    # A weight file with masks is a network of `export` too, and one without weights has as many ReLUs.
    recipe = tmp_path / "networks" / "60" / "recipe.toml"
    for more in (["--weights", str(recipe.with_name("state.pt"))], []):
        model = tmp_path / "model.pt"
        parsed = make_parser().parse_args(["export", "--recipe", str(recipe), "-o", str(model), *more])
        assert parsed.run(parsed) == 0
        assert load_model(model).relu_count == 60


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--budget", 600], UsageError, "--budget 600: small-digits has 512 ReLUs, a budget must be below"),
        (["--budget", 9, "--masks", "row"], UsageError, "masks is 'row', allowed: pixel, channel"),
        (["--budget", 9, "--lasso", 0], UsageError, r"lasso is 0.0, allowed: 1e-12 to 1000"),
        (["--budget", 9, "--masks", "channel"], UsageError, "16 is the least for small-digits"),
        (["--budget", 9, "--teacher", "nowhere"], ModelError, "not the folder of a training"),
        (["--budget", 9, "--data", "cifar100"], DataError, "cifar-100-binary.tar.gz is missing"),
    ],
)
def test_what_is_wrong_with_a_linearization_is_named(small, tmp_path, arguments, error, message):
    with pytest.raises(PiBenchError) as caught:
        run("snl", "--network", small, "--data-dir", tmp_path, "-o", tmp_path / "out", *arguments)
    assert isinstance(caught.value, error)
    assert message in str(caught.value)
    assert not (tmp_path / "out" / "teacher").exists()


def test_what_is_wrong_with_a_pruning_is_named(small, tmp_path):
    for budget, message in ((600, "a budget must be below that"), (100, "256 is the least for small-digits")):
        with pytest.raises(UsageError, match=rf"--budget {budget}: .*{message}"):
            run("prune", "--budget", budget, "--network", small, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_options_of_sampling_need_the_criterion_that_samples(small, tmp_path):
    for option in (("--sampling-steps", 5), ("--sampling-learning-rate", 0.1)):
        with pytest.raises(UsageError, match="are options of --criterion lfpc: add it, or leave"):
            run("prune", "--budget", 300, "--network", small, "-o", tmp_path / "out", *option)
    assert not (tmp_path / "out").exists()
