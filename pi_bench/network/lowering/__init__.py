"""Lowers a torch module to the float graph.

The course of a lowering:
    lowering, tracing                    the module to the graph; its trace by torch.export
    operators, names, state              translation of each operator, permitted operators, state so far
    constants, last_step                 values of parameters alone; a softmax or argmax after the logits
    advice, composites                   replacements of refused operators; activations in several operators

Operators with weights:
    weights, matrices, transposed        convolutions and normalizations, products, transposed convolutions
    lines                                layers of one dimension

Activations:
    activations, comparisons, masks      ReLUs and clamps, the larger of two values, ReLUs of some elements
    polynomials                          polynomial activations

Sums with coefficients:
    combination, combinations            one of graph nodes; kept as sums until another operator reads them
    per_channel                          coefficients with one number per channel

Elements in other places, and pools:
    arrangement, movement, selections    nodes that rearrange, calls that move, choices of constant positions
    padding, resampling                  borders, and maps of other sizes
    pooling, reductions                  pools, and means or maxima over whole axes
"""

from pi_bench.network.lowering.lowering import lower

__all__ = ["lower"]
