"""What can go wrong before or around a guest, as a sentence."""

from __future__ import annotations


class GuestVmError(Exception):
    """A real guest cannot be run, or did not run as it should. The text is a sentence."""


class MirrorError(GuestVmError):
    """Packages are needed and no mirror gives them: the one reason to go on without a guest."""


UNREACHABLE = 3
"""A command's exit status when packages are needed and no mirror gives them."""
