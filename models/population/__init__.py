"""Population-based training of plans, as DELPHI's planner (Mishra et al., USENIX Security 2020) has it.

settings    the numbers of a population
member      the training of one member for one generation, from its own state or that of another member
"""
