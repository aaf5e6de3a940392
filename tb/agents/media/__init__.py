"""The media agent of a block function: the disk behind it."""
