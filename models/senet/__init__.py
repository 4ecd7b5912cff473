"""Budgets of ReLUs per layer, and masks from differences of activations, after SENet.

SENet is by Kundu et al., ICLR 2023. The formulas are reconstructed; docs/reduction.md names the parts
that are ours.

settings        the algorithm's numbers
sensitivity     the ReLU sensitivity of each layer, from the pruning of its weights, and the layer's budget
differences     how much maps with all ReLUs and maps with some of them differ, position by position
selection       the training in which masks follow these differences until they settle
"""
