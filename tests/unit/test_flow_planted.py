"""Planted bugs: their headers, how they are planted, and when one counts as caught."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.flow.commands.bugs import Finding
from tb.flow.errors import FlowError
from tb.flow.plan import Configuration, Plan, SimTest
from tb.flow.planted import plant, read_bugs, read_patch, read_variants
from tb.flow.verdict_rules import naming

PLAN = Plan(
    [Configuration("block", "block"), Configuration("wide", "block")],
    [],
    [SimTest("T", "tests.sim.test_t", "")],
)
HEADER = "# bug: the ISR stays\n# rule: VPCI-REG-19, VPCI-REG-20\n# test: T, T@wide\n"


def _patch(folder: Path, text: str) -> Path:
    path = folder / "isr_stays.patch"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_header_says_rules_and_runs(tmp_path: Path) -> None:
    bug = read_patch(_patch(tmp_path, HEADER), PLAN, "bug")
    assert (bug.name, bug.sentence, bug.rules) == (
        "isr_stays",
        "the ISR stays",
        ("VPCI-REG-19", "VPCI-REG-20"),
    )
    assert [run.name for run in bug.runs] == ["T-block", "T-wide"]


@pytest.mark.parametrize("key", ["bug", "rule", "test"])
def test_a_header_that_lacks_a_key_is_named(tmp_path: Path, key: str) -> None:
    lines = [line for line in HEADER.splitlines() if not line.startswith(f"# {key}:")]
    with pytest.raises(FlowError, match=f"isr_stays.patch: its header lacks `# {key}:`"):
        read_patch(_patch(tmp_path, "\n".join(lines)), PLAN, "bug")


def test_a_variant_says_what_its_profile_has_otherwise(tmp_path: Path) -> None:
    text = HEADER.replace("# bug:", "# legal:") + '# profile: polls = true, other_reads = ["flush"]\n'
    variant = read_patch(_patch(tmp_path, text), PLAN, "legal")
    assert variant.sentence == "the ISR stays"
    assert variant.choices == {"polls": True, "other_reads": ["flush"]}


@pytest.mark.parametrize(
    ("choices", "complaint"),
    [
        ("polls = yes", "is no choice"),
        ("poles = true", "poles is no field of a profile"),
        ('other_reads = ["everything"]', "other_reads must be a list of flush, used_ring, writable_buffers"),
    ],
)
def test_a_profile_that_cannot_be_is_named(tmp_path: Path, choices: str, complaint: str) -> None:
    with pytest.raises(FlowError, match=complaint):
        read_patch(_patch(tmp_path, f"{HEADER}# profile: {choices}\n"), PLAN, "bug")


def test_a_patch_that_does_not_fit_is_named(tmp_path: Path) -> None:
    bug = read_patch(
        _patch(tmp_path, HEADER + "--- a/rtl/none.sv\n+++ b/rtl/none.sv\n@@ -1 +1 @@\n-a\n+b\n"), PLAN, "bug"
    )
    with pytest.raises(FlowError, match="does not fit"):
        plant(bug, tmp_path / "copy")


def test_a_bug_is_caught_only_by_its_rule() -> None:
    verdicts = ["10 ns VPCI-REG-11: wrong", "20 ns VPCI-REG-19: ISR reads 0x01, expected 0x00"]
    assert naming(verdicts, ("VPCI-REG-19",)) == verdicts[1]
    assert naming(verdicts, ("VPCI-REG-1",)) == ""
    assert naming([], ("VPCI-REG-19",)) == ""


def test_a_bug_is_by_its_own_rule_only_where_nothing_came_before(tmp_path: Path) -> None:
    bug = read_patch(_patch(tmp_path, HEADER), PLAN, "bug")
    own, wider = "1 ns VPCI-REG-19: wrong", "1 ns VPCI-REG-20: wrong"
    assert Finding(bug, "T-block", own, "", "", 1.0).by_own_rule
    assert not Finding(bug, "T-block", own, "PIN-LAST", "", 1.0).by_own_rule
    assert not Finding(bug, "T-block", wider, "", "", 1.0).by_own_rule
    assert not Finding(bug, "", "", "", "T-block: passed", 1.0).by_own_rule


def test_every_shipped_patch_fits_the_rtl(tmp_path: Path) -> None:
    from tb.flow.plan import load_plan

    plan = load_plan()
    for bug in [*read_bugs(plan), *read_variants(plan)]:
        plant(bug, tmp_path / bug.name)
