from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.graph import Graph
from pi_bench.report.bits import bits_part, bits_text


def test_each_layer_has_its_own_bits(tiny_graph: Graph) -> None:
    options = CompileOptions(
        layer_activation_bits={"stem.relu": 8, "input": 12}, layer_weight_bits={"body": 11}
    )
    bits = bits_part(compile_graph(tiny_graph, options)[0], options)
    assert bits.activations == {"input": 12, "stem.relu": 8, "sum.relu": 10}
    assert bits.weights == {"stem": 10, "body": 11, "head": 10}
    assert bits_text(bits) == "activation bits 8 to 12, weight bits 10 to 11"
