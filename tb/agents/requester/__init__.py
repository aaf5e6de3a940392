"""The requester agent: the host's accesses to the function."""
