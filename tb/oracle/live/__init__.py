"""Live differential fuzzing: the same traffic to real QEMU devices and to the golden model."""
