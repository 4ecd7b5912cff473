"""One more bit where it is missing: the layer that loses most is found, and its bit has a price."""

import numpy as np

from pi_bench.costs import Costs
from pi_bench.launch.accuracy import compare
from pi_bench.launch.accuracy_task import AccuracyTask
from pi_bench.launch.placement import place
from pi_bench.launch.remedies import find_remedies
from pi_bench.launch.samples import Answers, Samples
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.graph import Graph
from pi_bench.prediction.simulated_run import Setting
from pi_bench.progress import silent
from pi_bench.registry import default_protocol
from pi_bench.report.documents.accuracy import Remedies
from pi_bench.report.remedies import remedies_lines, remedies_part


def remedies_of(graph: Graph, compiling: CompileOptions, costs: Costs) -> Remedies:
    images = np.random.default_rng(5).normal(size=(48, 2, 6, 6)).clip(-2.5, 2.5).astype(np.float32)
    info = default_protocol()
    program, _ = compile_graph(graph, compiling)
    samples = Samples(images, None, "noise")
    task = AccuracyTask(graph, compiling, program, info, info.configure(), samples, place(threads=1))
    comparison = compare(graph, compiling, task.law, 1, images, silent)
    found = find_remedies(task, comparison, Setting(costs), silent)
    assert isinstance(found[0].answers, Answers)
    return remedies_part(found, comparison.floats)


def test_the_layer_with_too_few_bits_loses_most(tiny_graph: Graph, made_up_costs: Costs) -> None:
    compiling = CompileOptions(layer_activation_bits={"sum.relu": 5})
    part = remedies_of(tiny_graph, compiling, made_up_costs)
    best = next(remedy for remedy in part.remedies if remedy.layer is not None)
    assert best.layer == "sum.relu"
    assert best.rms_logit_error < 0.7 * part.unchanged.rms_logit_error
    assert best.predicted_online_s is not None and part.unchanged.predicted_online_s is not None
    assert best.predicted_online_s > part.unchanged.predicted_online_s
    assert part.image_count == 32
    lines = remedies_lines(part)
    (row,) = (line for line in lines if line.startswith("layer 'sum.relu'"))
    assert int(row.split()[-2]) >= 60, "percent of the errors' variance that the layer causes"
    assert "no single layer loses much" not in lines


def test_bits_beyond_the_ring_are_left_out(tiny_graph: Graph, made_up_costs: Costs) -> None:
    part = remedies_of(tiny_graph, CompileOptions(weight_bits=16), made_up_costs)
    changes = [remedy.change for remedy in part.remedies]
    assert "one more bit in all weights" not in changes
    assert "one more bit in all activations" in changes
