"""Fidelity: how often and how closely the integer network answers as the float network does."""

from pi_bench.fidelity.choice import BitChoice, ChosenBits, bit_choice, choose_bits
from pi_bench.fidelity.chosen_bits import with_chosen_bits
from pi_bench.fidelity.fidelity import Fidelity, FidelityGoal
from pi_bench.fidelity.logits import measure_fidelity

__all__ = [
    "BitChoice",
    "ChosenBits",
    "Fidelity",
    "FidelityGoal",
    "bit_choice",
    "choose_bits",
    "measure_fidelity",
    "with_chosen_bits",
]
