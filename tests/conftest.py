"""Settings of every test: machines are shared, so no example of a property has a deadline in milliseconds."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")
