"""Selective network linearization (SNL, Cho et al., ICML 2022, Algorithm 1): which single ReLUs to keep.

settings        the algorithm's numbers
schedule        the growth of the lasso coefficient
masks           values, counts and the penalty of the masks
selection       the choice of masks that meet a budget exactly
relu_placement  the ReLUs that the networks of the paper have
masked_recipe   the recipe of a network whose masks keep a number of ReLUs
mask_training   the training of masks and weights together, until every budget is met
linearize       the folder of a linearization
budget_files    the files of a network at its budget
descent, descent_settings  coordinate descent on binary masks (BCD), and its numbers
"""
