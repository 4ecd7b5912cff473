"""Networks: the float graph of a model file, the compiler, and the public program that parties run.

From a network to a graph:
    interchange    reads files of other programs (.pt2, ONNX) as modules and runs nothing in them
    lowering       turns a torch module into a graph
    files          reads and writes model files and checkpoints
    graph          the float graph: nodes, shapes, checks, float evaluation

From a graph to a better graph:
    fusion         gives a graph with fewer linear operators
    equalization   gives a graph of the same function whose channels have balanced ranges
    clamps         counts the ReLUs that clamps take, and puts plain ReLUs in their place

From a graph to answers:
    compiler       turns a graph into a program and weights
    program        the public program: operators, checks, bytes
    execution      the arithmetic of a program: the integer reference, operators on shares
    linear_maps    linear maps whose kernels differ at the borders, and the layers that compute them
    distribution   sums the figures of a program by resolution
"""
