"""Progress lines: one short line per step, on standard output, at once."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Write one line."""
    sys.stdout.write(f"guest: {text}\n")
    sys.stdout.flush()
