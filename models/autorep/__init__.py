"""AutoReP (Peng et al., ICCV 2023): an indicator per pixel chooses ReLU or a quadratic of its channel.

settings      the numbers of the method
indicator     the layer whose indicators are trained
estimation    the quadratics of the public code, from running statistics
replacement   the training of indicators, weights and quadratics down to a budget
"""
