"""What a guest can run against; one file per target, each offering the same HostBus."""
