"""Whatever is wrong: one line that names it, the documented exit code, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pi_bench.channel import Address, listen
from pi_bench.channel.tcp import local_address
from pi_bench.cli import main
from pi_bench.network.graph import Graph
from pi_bench.report.documents import schema_of
from tests.schemas import require_valid

Capture = pytest.CaptureFixture[str]


def fails(capsys: Capture, code: int, *arguments: str) -> str:
    """Runs a command that must fail with `code`; returns the error's text."""
    capsys.readouterr()
    assert main(list(arguments)) == code
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1, error
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 6, 6), np.float32), "shape (3, 6, 6); this network takes (1, 2, 6, 6) or (2, 6, 6)"),
        (np.zeros((2, 6, 6), np.complex64), "dtype complex64"),
        (np.array(["a"]), "dtype <U1"),
        (np.full((2, 6, 6), np.nan), "NaN"),
        (np.full((2, 6, 6), np.inf), "infinity"),
        (np.full((2, 6, 6), 1e6), "calibrated for at most"),
        (np.array([{}], dtype=object), "holds Python objects"),
    ],
)
def test_input_array(
    model_file: Path, tmp_path: Path, capsys: Capture, array: np.ndarray, words: str
) -> None:
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    assert words in fails(capsys, 4, "latency", str(model_file), "--input", str(tmp_path / "x.npy"))


def test_no_such_files(model_file: Path, tmp_path: Path, capsys: Capture) -> None:
    assert "no such file" in fails(capsys, 4, "latency", str(model_file), "--input", str(tmp_path / "x"))
    fails(capsys, 3, "latency", str(tmp_path / "model.pt"))
    fails(capsys, 3, "inspect", str(tmp_path / "model.pt"))


def test_file_that_is_no_model(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "model.pt").write_bytes(b"not a model")
    fails(capsys, 3, "latency", str(tmp_path / "model.pt"))


def test_unknown_protocol_and_mode(model_file: Path, capsys: Capture) -> None:
    assert "delphi, fss, ideal, null" in fails(capsys, 2, "latency", str(model_file), "--protocol", "gazelle")
    assert "windowed, exact" in fails(capsys, 2, "latency", str(model_file), "--mode", "sloppy")


def misuses(capsys: Capture, *arguments: str) -> str:
    """Runs a command whose words do not parse; returns the error's one line."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as error:
        main(list(arguments))
    assert error.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(f"(see `pi-bench {arguments[0]} --help`)")
    return line


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--runs", "0"), "'0' is not a whole number from 1"),
        (("--runs", "x"), "'x' is not a whole number from 1"),
        (("--warmup", "-1"), "'-1' is not a whole number from 0"),
        (("--threads", "0"), "'0' is not a whole number from 1"),
        (("--threads", "100000"), "1 to 256"),
        (("--timeout", "nan"), "'nan' is not a time"),
        (("--timeout", "soon"), "'soon' is not a time"),
        (("--expect-digest", "00ff"), "16 to 64 hexadecimal digits"),
        (("--expect-digest", "x" * 64), "16 to 64 hexadecimal digits"),
        (("--expect-digest", "0" * 65), "16 to 64 hexadecimal digits"),
        (("--link", "moon"), "the link 'moon' cannot be read: write lan, 10g, wan, mobile, loopback"),
        (("--link", "100Mbit"), "lacks a round trip"),
        (("--link", "5kbit,40ms"), "1Mbit to 100Gbit"),
        (("--wat",), "--wat"),
    ],
)
def test_flags(model_file: Path, capsys: Capture, flags: tuple[str, ...], words: str) -> None:
    assert words in misuses(capsys, "latency", str(model_file), *flags)


def test_threads_are_bounded_everywhere(model_file: Path, capsys: Capture) -> None:
    flags = ("--threads", "100000")
    assert "1 to 256" in misuses(capsys, "serve", str(model_file), "--listen", "127.0.0.1:0", *flags)
    assert "1 to 256" in misuses(capsys, "infer", "--connect", "h:1", "--input", "x.npy", *flags)
    assert "1 to 256" in misuses(capsys, "micro", "--threads", "1,100000")


def test_infer_knows_names_before_it_connects(
    tmp_path: Path, tiny_input: np.ndarray, capsys: Capture
) -> None:
    np.save(tmp_path / "x.npy", tiny_input)
    asking = ("infer", "--connect", "127.0.0.1:1", "--input", str(tmp_path / "x.npy"))
    assert "delphi, fss, ideal, null" in fails(capsys, 2, *asking, "--protocol", "gazelle")
    assert "windowed, exact" in fails(capsys, 2, *asking, "--mode", "sloppy")
    assert "windowed, exact" in fails(capsys, 2, *asking, "--protocol", "delphi", "--mode", "sloppy")
    assert "digits" in misuses(capsys, *asking, "--expect-digest", "beef")


def test_schema_says_what_there_is(capsys: Capture) -> None:
    for words in (["schema"], ["schema", "wat"]):
        said = fails(capsys, 2, *words)
        for name in ("result", "accuracy", "micro"):
            assert name in said


def test_widths_that_do_not_fit(model_file: Path, capsys: Capture) -> None:
    assert "99 bits" in fails(capsys, 2, "latency", str(model_file), "--weight-bits", "99")
    assert "2 to 20 are" in fails(capsys, 2, "latency", str(model_file), "--activation-bits", "99")


def test_output_is_refused_before_the_run(model_file: Path, tmp_path: Path, capsys: Capture) -> None:
    for flag in ("--output", "--json"):
        assert "no folder" in fails(capsys, 2, "latency", str(model_file), flag, str(tmp_path / "no" / "y"))
        assert "is a folder" in fails(capsys, 2, "latency", str(model_file), flag, str(tmp_path))


def test_another_digest(model_file: Path, capsys: Capture) -> None:
    error = fails(capsys, 6, "latency", str(model_file), "--protocol", "ideal", "--expect-digest", "00ff" * 4)
    assert f"the client expects {'00ff' * 4}, the server's program has" in error


def test_port_in_use(model_file: Path, capsys: Capture) -> None:
    with listen(Address("127.0.0.1", 0)) as listener:
        where = str(local_address(listener))
        assert "in use" in fails(capsys, 5, "serve", str(model_file), "--listen", where)


def test_addresses(model_file: Path, tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 6, 6)))
    asking = ("infer", "--input", str(tmp_path / "x.npy"), "--connect")
    assert "HOST:PORT" in fails(capsys, 2, *asking, "nowhere")
    with listen(Address("127.0.0.1", 0)) as listener:
        free = str(local_address(listener))
    asked = fails(capsys, 5, *asking, free)
    assert f"cannot connect to {free}: nobody listens there; start `pi-bench serve MODEL.pt --listen" in asked
    measured = fails(capsys, 5, "latency", "--threads", "1", "--connect", free)
    assert measured.startswith(
        f"error: cannot connect to {free}: nobody listens there; start `pi-bench serve"
    )
    assert "--measure` on the other machine" in measured


def test_processor_without_aes(model_file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is read once a process, so the parties and the launcher are new ones."""
    import os
    import subprocess
    import sys

    run = subprocess.run(
        [sys.executable, "-m", "pi_bench", "latency", str(model_file)],
        env={**os.environ, "PI_BENCH_ISA": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 7
    assert "AES-NI" in run.stderr and "Traceback" not in run.stderr


def test_portable_kernels_give_the_answer_and_a_warning(model_file: Path, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    target = tmp_path / "result.json"
    run = subprocess.run(
        [sys.executable, "-m", "pi_bench", "latency", str(model_file), "--runs", "1", "--json", str(target)],
        env={**os.environ, "PI_BENCH_ISA": "portable"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "SLOW portable kernels" in run.stderr
    result = json.loads(target.read_text())
    assert result["verification"]["passed"]
    assert result["environment"]["instruction_set"] == "portable"


def test_inspect_and_schema(model_file: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert main(["inspect", str(model_file)]) == 0
    text = capsys.readouterr().out
    for words in ("stem.relu", "conv 3x3", "digest", "payload to server", "garbling", "by resolution"):
        assert words in text
    assert main(["inspect", str(model_file), "--json", "-"]) == 0
    inspection = json.loads(capsys.readouterr().out)
    assert main(["schema", "inspection"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(schema_of("inspection")))
    require_valid(inspection, "inspection")
    assert inspection["prediction"]["online"]["bytes"] == inspection["predicted_bytes"]["online"]
    assert inspection["prediction"]["offline"]["bytes"] == inspection["predicted_bytes"]["offline"]
    assert inspection["explanation"] is None
    for key in ("relu_count", "parameter_count", "mac_count"):
        for rows in ("operators", "distribution"):
            assert inspection[key] == sum(row[key] for row in inspection[rows]) > 0
    assert main(["schema", "result"]) == 0
    assert json.loads(capsys.readouterr().out)["title"].startswith("Result")


def test_inspect_predicts_for_a_link_and_explains(model_file: Path, capsys: Capture) -> None:
    flags = ("--fuse", "--explain", "--json", "-")
    near, far = (
        json.loads((main(["inspect", str(model_file), "--link", link, *flags]), capsys.readouterr().out)[1])
        for link in ("loopback", "wan")
    )
    for inspection in (near, far):
        require_valid(inspection, "inspection")
        assert inspection["explanation"]["online"]["causes"]
    assert far["prediction"]["link"]["rtt_s"] == 0.04
    assert far["prediction"]["online"]["latency_s"] > near["prediction"]["online"]["latency_s"]
    assert far["explanation"]["online"]["causes"][0]["cause"] == "rounds"
    assert main(["inspect", str(model_file), "--fuse", "--explain", "--link", "wan", "--columns", "all"]) == 0
    text = capsys.readouterr().out
    for words in ("on made up, 1 thread", "largest costs online", "range", "emulated link wan"):
        assert words in text


def test_inspect_says_what_calibration_found(model_file: Path, capsys: Capture, tiny_graph: Graph) -> None:
    capsys.readouterr()
    main(["inspect", str(model_file), "--json", "-"])
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["operators"]}
    for name in ("stem.relu", "sum.relu"):
        source = name.removesuffix(".relu")
        assert rows[name]["calibrated_maximum"] == pytest.approx(tiny_graph.ranges[source])
    assert rows["input"]["calibrated_maximum"] is None


def test_costs_that_are_none(model_file: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "costs.json").write_text("{}")
    for command in ("inspect", "latency"):
        error = fails(capsys, 4, command, str(model_file), "--costs", str(tmp_path / "costs.json"))
        assert "holds no costs: it has no schema_version; measure them again with --measure-costs" in error
        assert "No such file" in fails(capsys, 4, command, str(model_file), "--costs", str(tmp_path / "no"))
        both = ("--costs", "x", "--measure-costs")
        assert "not allowed with" in misuses(capsys, command, str(model_file), *both)


def test_help_names_the_exit_codes(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for words in ("exit codes:", "130", "export", "latency", "serve", "infer"):
        assert words in text


@pytest.mark.parametrize(
    "words",
    [
        ("latency", "MODEL", "--json", "MODEL"),
        ("latency", "MODEL", "--output", "LINK"),
        ("inspect", "MODEL", "--json", "MODEL"),
        ("compare", "MODEL", "MODEL", "--json", "MODEL"),
        ("accuracy", "MODEL", "--data", "DATA", "--json", "DATA"),
        ("export", "--recipe", "resnet18-cifar100-12288", "--weights", "DATA", "-o", "DATA"),
    ],
)
def test_no_output_replaces_an_input(
    words: tuple[str, ...], model_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    files = {"MODEL": tmp_path / "model.pt", "LINK": tmp_path / "link.pt", "DATA": tmp_path / "data.npz"}
    files["MODEL"].write_bytes(model_file.read_bytes())
    files["LINK"].symlink_to(files["MODEL"])
    files["DATA"].write_bytes(b"data")
    error = fails(capsys, 2, *(str(files.get(word, word)) for word in words))
    assert "is an input of this command; choose another name" in error
    assert files["MODEL"].read_bytes() == model_file.read_bytes()
    assert files["DATA"].read_bytes() == b"data"
