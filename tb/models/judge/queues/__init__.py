"""Judges the DMA of the virtqueues: what is read, what is written, in which order."""
