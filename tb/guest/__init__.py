"""Guest software: transport, virtqueue and device drivers over a HostBus."""
