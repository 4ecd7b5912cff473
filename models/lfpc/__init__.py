"""LFPC (He et al., CVPR 2020): the pruning criterion of each layer is chosen by sampling.

settings    the algorithm's numbers
sampling    criteria drawn with a gradient, and channels that masks keep or zero
choice      the training of the criteria's probabilities on the loss of the pruned network
"""
