"""PCI Express TLPs as data: types, encode, decode. Standard library only."""
