"""What each virtio device does with a request: from the bytes of a chain to effects."""
