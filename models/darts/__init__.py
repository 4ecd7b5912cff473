"""DARTS (Liu et al., ICLR 2019) in the space of Sphynx: cells whose operators and sources are weighed.

docs/reduction.md names the parts that are ours.

settings         the numbers of the training
choice           the weights of a cell's operators and sources, their expected cost, and the chosen cell
relaxed_network  a network of which each node is a weighted sum of all operators on all sources
relaxation       the training of such a network, in a folder
"""
