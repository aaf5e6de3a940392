"""Tests of the testbench: simulations, and unit tests of its rooms."""
