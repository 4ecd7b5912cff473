"""The choice of a kind per channel: ReLU, cubic, quadratic or linear, after SAFENet (Lou et al., ICLR 2021).

The paper's text was not at hand; docs/reduction.md names the parts that are ours.

settings         the numbers of the choice
relaxed          layers that are a weighted sum of all kinds in each channel, and their cost
relaxed_network  a network of such layers: its start, and its file
relaxation       the training of these weights for one budget, in a folder
rounding         one kind per channel, so that the network meets the budget
mixed_network    the recipe of the rounded network, and its weights to start from
"""
