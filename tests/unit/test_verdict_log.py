"""Verdicts as they are found: counted by kind, on disk at once, in bounded memory."""

from __future__ import annotations

import json
from pathlib import Path

from tb.flow.simulation import with_verdicts
from tb.models.verdict import Verdict
from tb.verdict_log import MOST_KINDS, VerdictLog


def verdict(time_ns: int, what: str = "Slot 3 of queue 0x1 is wrong.", rule: str = "VRING-US-04") -> Verdict:
    return Verdict(time_ns, rule, what, "1", str(time_ns))


def test_equal_verdicts_are_counted_and_the_first_speaks_for_them() -> None:
    log = VerdictLog()
    for number in range(255):
        log.add(verdict(1000 + number, f"Slot {number} of queue {number:#x} is wrong."))
    log.add(verdict(7, rule="VRING-US-05"))
    log.add(verdict(8, "Another sentence."))
    assert log.total == 257
    assert [kind.count for kind in log.kinds] == [255, 1, 1]
    assert log.texts(1) == [
        "VRING-US-04 ×255, first at 1,000 ns, last at 1,254 ns: Slot 0 of queue 0x0 is wrong. "  # noqa: RUF001
        "Expected 1, seen 1000."
    ]
    assert str(log.kinds[1]).startswith("7 ns VRING-US-05: ")


def test_a_verdict_is_on_disk_before_the_next_one_comes(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    log = VerdictLog(path)
    log.add(verdict(5))
    assert [json.loads(line)["rule"] for line in path.read_text().splitlines()] == ["VRING-US-04"]


def test_a_flood_leaves_a_small_file_and_few_kinds(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    log = VerdictLog(path)
    for number in range(100_000):
        log.add(verdict(number))
    for number in range(2 * MOST_KINDS):
        log.add(verdict(number, "x" * number))
    log.close()
    assert log.total == 100_000 + 2 * MOST_KINDS
    assert len(log.kinds) == MOST_KINDS + 1
    assert sum(kind.count for kind in log.kinds) == log.total
    assert len(path.read_text().splitlines()) < 3 * MOST_KINDS


def test_the_log_tells_of_each_verdict() -> None:
    seen: list[int] = []
    log = VerdictLog(on_verdict=lambda _verdict: seen.append(log.total))
    for number in range(3):
        log.add(verdict(number))
    assert seen == [1, 2, 3]


def test_what_a_killed_run_found_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    log = VerdictLog(path)
    for number in range(64):
        log.add(verdict(number))
    log.add(verdict(99, "Another sentence."))
    path.write_text(path.read_text() + '{"kind": 1, "cou')
    counters = with_verdicts({"accesses_scored": 7, "mismatches": 3, "ended": False}, path)
    assert (counters["accesses_scored"], counters["mismatches"]) == (7, 65)
    assert counters["verdicts"][0].startswith("VRING-US-04 ×64, first at 0 ns, last at 63 ns: Slot 3")  # noqa: RUF001
    assert len(counters["verdicts"]) == 2


def test_a_run_that_ended_has_told_all_itself(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    VerdictLog(path).add(verdict(1))
    whole = {"mismatches": 0, "verdicts": [], "ended": True}
    assert with_verdicts(whole, path) == whole
