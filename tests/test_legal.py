"""A few legal variants of the RTL, of those that `make legal` sees all of."""

from __future__ import annotations

from tb.flow.commands.legal import try_all
from tb.flow.display import Display
from tb.flow.plan import load_plan
from tb.flow.planted import read_variants
from tb.flow.process import run_until_complete

SELECTION = {"flags_written_with_index", "used_index_read_back"}


def test_legal_variants_are_told_by_the_strict_profile_only() -> None:
    """What a variant does is right by the profile that says so, and by no other."""
    variants = [one for one in read_variants(load_plan()) if one.name in SELECTION]
    assert {one.name for one in variants} == SELECTION
    with Display() as display:
        findings = run_until_complete(try_all(variants, 1, 1, display))
    assert not [one.line for one in findings if not one.held]
