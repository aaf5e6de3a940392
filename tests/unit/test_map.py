"""The map of the tests names only tests that are there, and every test of the plan."""

from __future__ import annotations

import re
from pathlib import Path

from tb.flow.plan import load_plan

MAP = Path(__file__).parents[1] / "README.md"
# Tests that reach no state of their own: they replay what others found or recorded.
ELSEWHERE = {"FuzzSeeds", "FuzzCampaign", "QemuRegisters", "QemuRandomRequests", "QemuShapes"}


def test_the_map_and_the_plan_name_the_same_tests() -> None:
    text = MAP.read_text(encoding="utf-8").partition("## Which test")[2]
    named = {word.partition("@")[0] for word in re.findall(r"`([A-Z]\w+(?:@\w+)?)`", text)}
    planned = set(load_plan().tests)
    assert named <= planned
    assert planned - named - ELSEWHERE == set()
