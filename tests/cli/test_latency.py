"""`pi-bench latency` with two real processes; everything but the parties runs in this one."""

from __future__ import annotations

import contextlib
import io
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from pi_bench.cli import main
from pi_bench.launch import verification
from pi_bench.network.files.model_file import save_model
from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_run import outputs
from pi_bench.report.columns import Shown
from pi_bench.report.documents.latency import Result
from pi_bench.report.quantities import seconds
from pi_bench.report.terminal import render_result
from pi_bench.report.text_width import wrapped
from tests.schemas import require_valid
from tests.unit.network.fusion.fusion_graphs import culled_graph

Measured = dict[str, Any]


def measure(model_file: Path, folder: Path, *flags: str) -> Measured:
    """The JSON of a measurement, whose predicted bytes are right in every setting."""
    target = folder / "result.json"
    once = ("--runs", "1", "--warmup", "0")
    assert main(["latency", str(model_file), *once, "--json", str(target), *flags]) == 0
    result: Measured = json.loads(target.read_text())
    assert (result["prediction"] is not None) == result["secure"]  # the work of the others is not predicted
    for phase in ("online", "offline") if result["prediction"] else ():
        for unit in ("bytes", "wire_bytes"):
            assert result["prediction"][phase][unit] == result[phase][unit]
    return result


class Told(NamedTuple):
    """A measurement with all that it printed."""

    result: Measured
    out: str
    err: str


def told(model_file: Path, folder: Path, *flags: str) -> Told:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        result = measure(model_file, folder, *flags)
    return Told(result, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def told_delphi(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return told(model_file, tmp_path_factory.mktemp("delphi"), "--runs", "2", "--warmup", "1")


@pytest.fixture(scope="module")
def delphi(told_delphi: Told) -> Measured:
    return told_delphi.result


@pytest.fixture(scope="module")
def told_insecure(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """The protocols without security, over a link that is the default."""
    return {
        name: told(
            model_file, tmp_path_factory.mktemp(name), "--protocol", name, "--link", "loopback", *flags
        )
        for name, flags in (("ideal", ["--no-limits"]), ("null", []))
    }


@pytest.fixture(scope="module")
def exact(model_file: Path, tiny_input: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """An answer in exact mode, with the OTs that `auto` settles on without a link."""
    folder = tmp_path_factory.mktemp("exact")
    np.save(folder / "x.npy", tiny_input.astype(">f8"))
    files = ("--input", str(folder / "x.npy"), "--output", str(folder / "y"))
    result = measure(model_file, folder, "--mode", "exact", "--ot", "auto", *files)
    assert result["outputs"]["logits"] == np.load(folder / "y")[0].tolist()
    return result


PROMISED = [
    "schema_version",
    "network.relu_count",
    "network.truncation_count",
    "network.digest",
    "protocol",
    "mode",
    "link",
    "online.latency_s.median",
    "online.latency_s.q1",
    "online.latency_s.q3",
    "online.latency_s.min",
    "online.latency_s.max",
    "online.latency_s.samples",
    "online.bytes.client_to_server",
    "online.bytes.server_to_client",
    "online.wire_bytes.client_to_server",
    "online.wire_bytes.server_to_client",
    "online.comm_round_count",
    "online.layers.0.client.compute_s",
    "online.layers.0.client.send_s",
    "online.layers.0.client.wait_s",
    "online.layers.0.server.compute_s",
    "online.layers.0.server.send_s",
    "online.layers.0.server.wait_s",
    "setup.time_s",
    "model_load_s",
    "offline.time_s",
    "offline.samples_s",
    "offline.bytes.client_to_server",
    "offline.bytes.server_to_client",
    "offline.parts.he",
    "offline.parts.ot",
    "offline.parts.garbling",
    "material_load_s",
    "first_inference_s",
    "storage_bytes_per_inference",
    "peak_memory_bytes.client.offline",
    "peak_memory_bytes.client.online",
    "peak_memory_bytes.server.offline",
    "peak_memory_bytes.server.online",
    "cpu_time_s.client",
    "cpu_time_s.server",
    "outputs.logits",
    "outputs.argmax",
    "verification.passed",
    "verification.mode",
    "verification.max_ulp_error",
    "verification.mismatch_count",
    "verification.compared_count",
    "verification.argmax_agrees_with_float",
    "environment",
]


def test_result_has_every_promised_field(delphi: Measured) -> None:
    require_valid(delphi, "result")
    for path in PROMISED:
        value: Any = delphi
        for key in path.split("."):
            value = value[int(key)] if isinstance(value, list) else value[key]
        assert value is not None, path


def test_figures_hang_together(delphi: Measured) -> None:
    online, layers = delphi["online"], delphi["online"]["layers"]
    for direction in ("client_to_server", "server_to_client"):
        assert sum(layer["bytes"][direction] for layer in layers) == online["bytes"][direction]
        assert online["wire_bytes"][direction] > online["bytes"][direction]
        parts = delphi["offline"]["parts"].values()
        assert sum(part["bytes"][direction] for part in parts) == delphi["offline"]["bytes"][direction]
        purposes = delphi["offline"]["bytes_by_purpose"].values()
        assert sum(sent[direction] for sent in purposes) == delphi["offline"]["bytes"][direction]
    assert sum(layer["comm_round_count"] for layer in layers) == online["comm_round_count"]
    assert sum(layer["relu_count"] for layer in layers) == delphi["network"]["relu_count"]
    activations = sum(1 for layer in layers if layer["relu_count"] + layer["truncation_count"])
    assert online["comm_round_count"] == activations + 1  # one each, and the input's way with the logits'
    assert len(online["latency_s"]["samples"]) == delphi["runs"] == 2
    total = delphi["setup"]["time_s"] + delphi["offline"]["time_s"] + online["latency_s"]["median"]
    assert delphi["first_inference_s"] == pytest.approx(total)
    assert delphi["storage_bytes_per_inference"] == sum(delphi["storage_bytes"].values()) > 0


def test_the_security_and_the_parameters_of_the_protocol_are_in_the_result(
    delphi: Measured, told_insecure: dict[str, Told]
) -> None:
    stated = delphi["security"]
    assert stated["computational_bits"] == min(each["bits"] for each in stated["estimates"]) > 100
    assert (stated["adversary"], stated["statistical_bits"]) == ("static semi-honest", 40)
    names = ("he_ring_degree", "he_modulus_bits", "ot_extension", "label_bits", "garbling")
    found = tuple(stated["parameters"][name] for name in names)
    assert found == (8192, 150, "softspoken", 128, "half-gates")
    ideal = told_insecure["ideal"].result
    assert ideal["security"] is None
    sent = ideal["offline"]["bytes_by_purpose"]
    assert list(sent) == ["linear layers"] and sent["linear layers"] == ideal["offline"]["bytes"]


def test_time_is_accounted_for(delphi: Measured) -> None:
    """The client's online time is its layers' computing, sending and waiting."""
    layers = delphi["online"]["layers"]
    booked = sum(sum(layer["client"].values()) for layer in layers)
    latency = delphi["online"]["latency_s"]
    assert booked == pytest.approx(latency["median"], rel=0.5)


def test_two_processes_agree_with_silent_ot(model_file: Path, tmp_path: Path) -> None:
    """Two inferences of one session, each with fresh instances."""
    silent = measure(model_file, tmp_path, "--mode", "exact", "--runs", "2", "--ot", "ferret")
    assert silent["verification"]["passed"] and silent["verification"]["max_ulp_error"] == 0
    assert silent["options"]["ot"] == "ferret"
    assert any("ferret is experimental" in note for note in silent["notes"])


def test_private_answer_is_right(
    model_file: Path, tmp_path: Path, exact: Measured, tiny_graph: Graph, tiny_input: np.ndarray
) -> None:
    np.save(tmp_path / "x.npy", tiny_input.astype(np.float16))
    files = ("--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "y"))
    windowed = measure(model_file, tmp_path, *files)
    assert windowed["outputs"]["logits"] == np.load(tmp_path / "y")[0].tolist()  # under exactly this name
    for mode, result in (("windowed", windowed), ("exact", exact)):
        assert result["verification"]["passed"] and result["verification"]["mode"] == mode
        assert result["options"] == {
            "label_chunk": 1, "garbling": "half-gates", "he_plan": "compute", "ot": "softspoken",
        }  # fmt: skip
        logits = np.array(result["outputs"]["logits"])
        np.testing.assert_allclose(logits[None], outputs(tiny_graph, tiny_input[None]), atol=0.1)
        assert result["outputs"]["label"] == ("cat", "dog", "owl")[logits.argmax()]
    assert exact["verification"]["max_ulp_error"] == 0


def test_label_chunks_trade_online_bytes_for_offline_bytes(
    delphi: Measured, model_file: Path, tmp_path: Path
) -> None:
    chunked = measure(model_file, tmp_path, "--label-chunk", "3")
    assert chunked["verification"]["passed"] and chunked["options"]["label_chunk"] == 3
    sent = [result["online"]["bytes"]["server_to_client"] for result in (delphi, chunked)]
    stored = [result["storage_bytes"]["client"] for result in (delphi, chunked)]
    assert sent[1] < 0.6 * sent[0]
    assert stored[1] > stored[0]


def test_three_halves_save_a_quarter_of_the_tables(
    exact: Measured, model_file: Path, tiny_input: np.ndarray, tmp_path: Path
) -> None:
    """No other message changes: 7.625 bytes of each AND are saved, offline and in the client's storage."""
    np.save(tmp_path / "x.npy", tiny_input)
    flags = ("--mode", "exact", "--garbling", "three-halves", "--input", str(tmp_path / "x.npy"))
    halves = measure(model_file, tmp_path, *flags)
    assert halves["verification"]["passed"] and halves["options"]["garbling"] == "three-halves"
    assert any("three-halves is experimental" in note for note in halves["notes"])
    assert not any("experimental" in note for note in exact["notes"])
    assert halves["online"]["bytes"] == exact["online"]["bytes"]
    assert halves["outputs"] == exact["outputs"]
    saved = [result["offline"]["bytes"]["server_to_client"] for result in (exact, halves)]
    stored = [result["storage_bytes"]["client"] for result in (exact, halves)]
    assert saved[0] - saved[1] == stored[0] - stored[1]
    assert (saved[0] - saved[1]) % (32 * 7.625) == 0 and saved[1] < saved[0]


def test_a_dropped_sign_is_named_and_its_effect_counted(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--mode", "truncated-sign", "--sign-drop", "4")
    result = measure(model_file, tmp_path, *flags)
    assert result["verification"]["passed"]
    assert (result["mode"], result["options"]["sign_drop"]) == ("truncated-sign", 4)
    text = capsys.readouterr().out
    options = "label chunk 1, garbling half-gates, he plan compute, ot softspoken, sign drop 4"
    assert f"mode truncated-sign, {options}" in text
    assert f"{result['verification']['zeroed_count']:,} values became 0" in text


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--mode", "truncated-sign"), "--mode truncated-sign needs --sign-drop K: 0 to 31"),
        (("--sign-drop", "2"), "--sign-drop needs --mode truncated-sign, not windowed"),
        (("--mode", "truncated-sign", "--sign-drop", "31"), "drop at most"),
    ],
)
def test_a_bad_sign_drop_is_refused(
    model_file: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], words: str
) -> None:
    for command in (["latency", str(model_file)], ["inspect", str(model_file)]):
        assert main([*command, *flags]) == 2
        assert words in capsys.readouterr().err


def test_a_link_is_emulated_probed_and_named(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Emulation never lets anything through early, so these bounds hold on any machine."""
    result = measure(model_file, tmp_path, "--link", "rtt=8ms,up=100Mbit,down=200Mbit")
    require_valid(result, "result")
    assert result["verification"]["passed"]
    link, online = result["link"], result["online"]
    assert (link["kind"], link["rtt_s"]) == ("emulated", 8e-3)
    assert (link["up_bits_per_s"], link["down_bits_per_s"]) == (1e8, 2e8)
    assert link["measured"]["rtt_s"] >= 8e-3
    assert online["latency_s"]["min"] >= online["comm_round_count"] * 8e-3
    offline_s = 8 * result["offline"]["wire_bytes"]["client_to_server"] / 1e8
    assert result["offline"]["time_s"] >= offline_s
    assert result["material_load_s"] >= 8e-3  # the request for the online phase and its answer
    text = capsys.readouterr().out
    assert "emulated link rtt=8ms,up=100Mbit,down=200Mbit (100 Mbit/s up, 200 Mbit/s down" in text
    assert "the link as probed" in text


def test_loopback_is_the_default_and_has_a_name(delphi: Measured, told_insecure: dict[str, Told]) -> None:
    assert delphi["link"] == told_insecure["ideal"].result["link"] == {"kind": "loopback"}


def test_predicted_stands_beside_measured_and_bytes_are_the_same(delphi: Measured) -> None:
    predicted = delphi["prediction"]
    assert predicted["online"]["comm_round_count"] == delphi["online"]["comm_round_count"]
    for own, layer in zip(predicted["online"]["layers"], delphi["online"]["layers"], strict=True):
        for field in ("id", "name", "bytes", "wire_bytes", "comm_round_count"):
            assert own[field] == layer[field], layer["name"]
    for name, part in delphi["offline"]["parts"].items():
        assert predicted["offline"]["parts"][name]["bytes"] == part["bytes"]
        assert predicted["offline"]["parts"][name]["wire_bytes"] == part["wire_bytes"]
    ratio = predicted["online"]["latency_s"] / delphi["online"]["latency_s"]["median"]
    assert predicted["over_measured"]["online"] == pytest.approx(ratio)
    assert delphi["explanation"] is None


def test_inferences_that_are_prepared_together_run_and_are_verified_one_by_one(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.json"
    flags = ("--ahead", "2", "--runs", "3", "--he-plan", "bytes", "--trace", str(trace))
    result = measure(model_file, tmp_path, *flags)
    require_valid(result, "result")
    offline = result["offline"]
    assert (offline["ahead"], result["verification"]["verified_run_count"]) == (2, 3)
    assert result["options"]["he_plan"] == "bytes"
    first, second, third = offline["samples_s"]
    assert first == second != third, "two inferences share a phase, and the third begins another one"
    whole_s = result["setup"]["time_s"] + 2 * offline["time_s"] + result["online"]["latency_s"]["median"]
    assert result["first_inference_s"] == pytest.approx(whole_s)
    assert result["trace"]["offline"]["time_s"] > 0
    assert "per inference, 2 inferences prepared at once" in capsys.readouterr().out


@pytest.mark.parametrize("ahead", ["0", "17", "x"])
def test_a_wrong_number_of_inferences_is_refused(
    model_file: Path, ahead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["latency", str(model_file), "--ahead", ahead])
    except SystemExit as leaving:  # of argparse
        code = leaving.code
    assert code == 2
    assert "--ahead" in capsys.readouterr().err


def test_explanations_are_told_and_written_in_lines_that_fit(
    model_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = measure(model_file, tmp_path, "--explain")
    require_valid(result, "result")
    text = capsys.readouterr().out
    for phase in ("online", "offline"):
        assert f"largest costs {phase}" in text
        assert all(line in text for line in result["explanation"][phase]["lines"])
    assert "predicted  " in text
    assert result["explanation"]["relus"]["line"] in text
    document = msgspec.convert(result, Result)
    for width in (80, 100, 120, 240):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = wrapped(render_result(document, [], Shown("all", ("all",)))).splitlines()
        assert max(map(len, lines)) <= width
        assert any("hidden ms" in line and "client ms" in line for line in lines) == (width >= 240)


def test_the_verdict_says_first_that_the_class_differs_and_no_span_of_zero_is_told(delphi: Measured) -> None:
    result = msgspec.convert({**delphi, "prediction": None}, Result)
    replace = msgspec.structs.replace
    for agrees, hidden_s in ((True, 0.002), (False, 0.0)):
        verification = replace(result.verification, argmax_agrees_with_float=agrees)
        offline = replace(result.offline, hidden_s=hidden_s)
        text = render_result(replace(result, verification=verification, offline=offline), [])
        (verdict,) = (line for line in text.splitlines() if "verification passed" in line)
        differs = "" if agrees else ", but the answer is NOT the float network's"
        assert f"verification passed (windowed){differs}: " in verdict
        both = f"the parties work at the same time, {seconds(offline.time_s + 0.002)} in all"
        assert (both in text) == agrees
        assert "0.00 us" not in text and (agrees or "at the same time" not in text)


@pytest.mark.parametrize("protocol", ["ideal", "null"])
def test_insecure_protocols_say_so(protocol: str, told_insecure: dict[str, Told]) -> None:
    result, out, err = told_insecure[protocol]
    require_valid(result, "result")
    assert not result["secure"]
    assert "INSECURE" in err
    assert out.count("INSECURE") >= 2


def test_text_shows_answer_latency_layers_and_verdict(told_delphi: Told) -> None:
    for words in ("online latency", "stem.relu", "peak memory", "verification passed", "use --runs 5"):
        assert words in told_delphi.out
    assert told_delphi.err == ""  # no progress bar where nobody watches
    assert "\x1b" not in told_delphi.out


@pytest.mark.parametrize("warmup", ["0", "1"])
def test_a_wrong_value_fails_and_names_the_layer(
    model_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    warmup: str,
) -> None:
    honest = verification.RunVerifier.verify

    def tampered(self: Any, client: Any, server: dict[str, np.ndarray], output: np.ndarray) -> Any:
        name = next(name for name in server if name.startswith("a:") and name != "a:0")
        server = {**server, name: server[name] + np.uint32(1 << 8)}
        return honest(self, client, server, output)

    monkeypatch.setattr(verification.RunVerifier, "verify", tampered)
    target = tmp_path / "result.json"
    assert main(["latency", str(model_file), "--json", str(target), "--warmup", warmup, "--runs", "1"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: verification failed: layer 'stem")
    assert "verification FAILED" in printed.out
    assert not json.loads(target.read_text())["verification"]["passed"]


def test_the_model_is_not_needed_once_it_is_loaded(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither party process opens it: it is gone before they start."""
    from pi_bench.launch import latency

    copy = tmp_path / "model.pt"
    copy.write_bytes(model_file.read_bytes())
    start = latency._start

    def unlink_and_start(*arguments: Any) -> Any:
        copy.unlink()
        return start(*arguments)

    monkeypatch.setattr(latency, "_start", unlink_and_start)
    assert measure(copy, tmp_path)["verification"]["passed"]


def test_verifying_may_take_longer_than_the_time_out(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = verification.RunVerifier.verify

    def slow(self: Any, *arguments: Any) -> Any:
        time.sleep(1.5)
        return honest(self, *arguments)

    monkeypatch.setattr(verification.RunVerifier, "verify", slow)
    flags = ("--timeout", "1", "--protocol", "ideal")
    assert measure(model_file, tmp_path, *flags)["verification"]["passed"]


@pytest.mark.parametrize("flags", [(), ("--batch", "3", "--protocol", "ideal")])
def test_a_batch_runs_as_one_inference(
    flags: tuple[str, ...], model_file: Path, tiny_graph: Graph, tiny_input: np.ndarray, tmp_path: Path
) -> None:
    """Three inputs give three answers, each the float network's; the file's own size is the default."""
    batch = np.stack([tiny_input, -tiny_input, tiny_input / 2])
    np.save(tmp_path / "x.npy", batch)
    result = measure(model_file, tmp_path, "--input", str(tmp_path / "x.npy"), "--mode", "exact", *flags)
    assert result["network"]["relu_count"] == 3 * tiny_graph.relu_count
    np.testing.assert_allclose(result["outputs"]["logits"], outputs(tiny_graph, batch), atol=0.1)


def test_a_batch_that_the_file_does_not_hold_is_named(
    model_file: Path, tiny_input: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", tiny_input[None].repeat(3, axis=0))
    assert main(["latency", str(model_file), "--input", str(tmp_path / "x.npy"), "--batch", "2"]) == 4
    assert "(3, 2, 6, 6)" in capsys.readouterr().err


def test_fused_layers_are_named_and_the_run_is_verified(tmp_path: Path) -> None:
    model = tmp_path / "culled.pt"
    save_model(culled_graph(), model)
    plain, fused = measure(model, tmp_path), measure(model, tmp_path, "--fuse")
    require_valid(fused, "result")
    assert plain["network"]["fusion"] is None
    fusion = fused["network"]["fusion"]
    assert fusion["planned_link"] is None
    assert fusion["operators"] and fusion["dissolved"]
    assert fused["verification"]["passed"]
    assert fused["network"]["truncation_count"] < plain["network"]["truncation_count"]
    assert fused["online"]["comm_round_count"] < plain["online"]["comm_round_count"]


def test_a_full_disk_loses_nothing_that_was_measured(
    model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["latency", str(model_file), "--runs", "1", "--warmup", "0", "--json", "/dev/full"]) == 2
    said = capsys.readouterr()
    assert "online latency" in said.out
    assert said.err.endswith("error: cannot write /dev/full: No space left on device\n")
