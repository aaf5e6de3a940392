"""What a command says when it cannot do what it was asked."""

from __future__ import annotations


class FlowError(Exception):
    """One sentence for the user; the command ends with a non-zero exit status and no traceback."""
