"""Merging of adjacent linear layers into larger convolutions, as part of a network that is trained on.

DeepReDuce merges the layers between which culling and thinning left no ReLU (Jha et al., ICML 2021, section
5.3 and Table 7). The merged kernels ignore the zero padding between the layers that they replace. The borders
of maps therefore differ, and a finetuning adapts the network to that. `pi-bench latency --fuse` does
something else: it merges a finished model exactly, without training.
"""
