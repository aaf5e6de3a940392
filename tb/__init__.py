"""The co-verification testbench of a legacy virtio-pci function."""
