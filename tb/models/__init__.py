"""The golden model: what a right legacy virtio-pci function does. Standard library only."""
