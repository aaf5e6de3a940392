"""Faults in the RTL: many alternatives of its source text in one copy, chosen at run time, and mutants."""
