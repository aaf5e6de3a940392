"""The golden model held against recorded and live QEMU devices."""
