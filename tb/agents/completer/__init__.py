"""The completer agent: the host's memory behind the function's DMA."""
