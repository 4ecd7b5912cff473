"""Predictions show the names of a protocol's own script."""

from __future__ import annotations

from pi_bench.costs import LINK_UNITS, Costs
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph import Graph
from pi_bench.prediction.simulated_run import Setting, predict_run
from pi_bench.protocol import Party
from pi_bench.protocol.script import PhaseScript, Purpose, RunScript
from pi_bench.report.documents.fields import Directions
from pi_bench.report.prediction import prediction_part


def test_parts_are_those_of_the_script_in_its_order(tiny_graph: Graph) -> None:
    program, _ = compile_graph(tiny_graph)
    offline, online = PhaseScript("offline"), PhaseScript("online")
    for part in ("keys", "dealer"):  # neither is a part of delphi
        offline.message(Party.SERVER, -1, part, Purpose.OTHER, 8)
    setting = Setting(Costs(dict.fromkeys(LINK_UNITS, 1e-9), 1, {}))
    predicted = prediction_part(program, predict_run(RunScript(offline, online), setting), setting)
    assert list(predicted.offline.parts) == ["keys", "dealer", "other"]
    assert predicted.offline.parts["keys"].bytes == Directions(client_to_server=0, server_to_client=8)
