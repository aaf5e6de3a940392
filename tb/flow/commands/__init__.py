"""One module per command; each offers `run(variables) -> exit status`."""
