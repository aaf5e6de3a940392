"""Simulation tests: one module per chapter of the test plan."""
