"""Judges messages and INTx: each has a cause, each cause leads to one."""
