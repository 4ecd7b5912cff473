"""Compiles the float graph to the public program and the server's weights."""

from pi_bench.network.compiler.compiler import compile_graph
from pi_bench.network.compiler.options import CompileOptions

__all__ = ["CompileOptions", "compile_graph"]
