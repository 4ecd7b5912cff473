"""Searches for networks with fewer ReLUs: independent trainings, run by an engine, to a Pareto frontier."""
