"""The interrupt agent: the host's interrupt controller. It only listens."""
