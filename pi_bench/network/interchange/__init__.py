"""Reads networks from files of other programs; nothing in such a file is run.

A file becomes a `ForeignModule`, a torch module that applies operators of a fixed list, one after the other.
From there on it is treated as any other module.

All sources:
    source                               a torch module, an ExportedProgram, or a file
    foreign_module, plain_module         the module of a file; the plain copy of a torch module
    work_bound                           the products of a file's network, before anything runs

Archives of torch.export:
    pt2, pt2_archive                     the module, and the archive as data

ONNX files:
    onnx_file, onnx_tensors              the file and its tensors as data
    onnx_graph, onnx_names, onnx_ending  the module, names of its parts, and the logits before a softmax
    onnx_operators, onnx_operands        the table of operators, and their inputs
    onnx_attributes, onnx_shapes         attributes in the newest form, and the arithmetic of shapes
    onnx_runtime                         the comparison with onnxruntime

Operators of ONNX by topic:
    onnx_layers, onnx_activations        layers with weights; activations and arithmetic
    onnx_pools, onnx_windows             pools and reductions; pads, strides and dilations
    onnx_movement                        operators that reorder elements
    onnx_resampling, onnx_interpolation  other sizes of maps; positions and weights along one axis
"""
