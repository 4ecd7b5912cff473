"""Merging of adjacent linear layers into larger convolutions, as part of a network that is trained on.

DeepReDuce does so with what culling and thinning leave (Jha et al., ICML 2021, section 5.3 and Table 7). The
composed kernels ignore the zero padding between the layers that they replace, so the borders of maps differ
until a finetuning has adapted to it. `pi-bench latency --merge` is another thing: exact, and after training.
"""
