"""Predicts an inference: simulates a protocol's script on measured costs and an emulated link.

Predictions:
    simulated_run, simulation            a whole inference; one phase of two parties and a link
    predicted_phase, causes              the times and bytes of a phase, and their causes

The least possible:
    floor, limits                        the floor of an inference, and the limits of a machine

Numbers behind them:
    fit                                  seconds per unit from timed work
    costs_file, limits_file              costs and limits in files
"""
