"""Selective network linearization (SNL, Cho et al., ICML 2022, Algorithm 1): which single ReLUs to keep.

settings    the algorithm's numbers
schedule    the lasso coefficient's law
selection   which masks meet a budget exactly
descent     masks and weights trained together until every budget is met
"""
