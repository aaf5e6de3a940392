"""Unit tests: plain pytest, no simulator, milliseconds each."""
