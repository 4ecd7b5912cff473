"""SENet (Kundu et al., ICLR 2023): budgets of ReLUs per layer, and masks from differences of activations.

settings        the algorithm's numbers
sensitivity     the share of the budget that each layer gets, from the pruning of its weights
differences     how much maps with all ReLUs and maps with some of them differ, position by position
selection       the training in which masks follow these differences until they settle
"""
