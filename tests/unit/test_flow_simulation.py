"""When a run counts as passed: it ran, ended by itself, was scored, and nothing was wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.flow.plan import Configuration, Run, SimTest
from tb.flow.process import Ended
from tb.flow.simulation import judge_end, read_counters, with_fatal_error

RUN = Run(SimTest("T", "tests.sim.test_t", ""), Configuration("block", "block"))
GOOD = Ended(0, False, 1.0, 1.0)
SCORED = {"accesses_scored": 1, "mismatches": 0, "ended": True}


def _results(folder: Path, *cases: str) -> Path:
    path = folder / "results.xml"
    path.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>", encoding="utf-8")
    return path


def test_a_run_that_held_has_no_message(tmp_path: Path) -> None:
    assert judge_end(GOOD, RUN, _results(tmp_path, "<testcase/>"), SCORED) == ""


GROUP = """<testcase><failure type="ExceptionGroup" message="Multiple exceptions in test (2 sub-exceptions)">
  | ExceptionGroup: Multiple exceptions in test (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "x.py", line 3, in run
    | tb.harness.SharedMemoryError: The memory is gone.
    +---------------- 2 ----------------
    | RuntimeError: cancelled
</failure></testcase>"""


@pytest.mark.parametrize(
    ("cases", "part"),
    [
        ((GROUP,), "SharedMemoryError: The memory is gone."),
        ((), "0 tests ran"),
        (("<testcase/>", "<testcase/>"), "2 tests ran"),
        (('<testcase><failure type="E" message="wrong&#10;assert x"/></testcase>',), "E: wrong"),
        (("<testcase><error/></testcase>",), "ended as error"),
        (("<testcase><skipped/></testcase>",), "ended as skipped"),
    ],
)
def test_a_test_that_did_not_run_or_hold_says_why(tmp_path: Path, cases: tuple[str, ...], part: str) -> None:
    message = judge_end(GOOD, RUN, _results(tmp_path, *cases), SCORED)
    assert part in message
    assert "\n" not in message


def test_a_hung_run_says_its_limit(tmp_path: Path) -> None:
    assert "300 s" in judge_end(Ended(-9, True, 300, 1), RUN, tmp_path / "results.xml", {})


def test_a_hung_run_says_what_was_scored_and_what_was_wrong_first(tmp_path: Path) -> None:
    counters = {"accesses_scored": 1234, "mismatches": 7, "verdicts": ["5 ns A-1: wrong.", "9 ns B-2: too."]}
    message = judge_end(Ended(-9, True, 300, 1), RUN, tmp_path / "results.xml", counters)
    assert message.startswith("5 ns A-1: wrong. (7 mismatches of 2 kinds.")
    assert "1,234 accesses" in message


def test_a_note_on_the_way_is_no_end(tmp_path: Path) -> None:
    counters = {**SCORED, "ended": False}
    assert "counters.json" in judge_end(GOOD, RUN, _results(tmp_path, "<testcase/>"), counters)


def test_a_loop_without_delay_is_a_verdict_that_names_the_signal(tmp_path: Path) -> None:
    log, built = tmp_path / "sim.log", tmp_path / "verilate.log"
    error = "%Error-DIDNOTCONVERGE: /x/top.sv:5: did not converge"
    log.write_text(f"info\n{error}\nAborting...\n", encoding="utf-8")
    loop = "%Warning-UNOPTFLAT: /x/f.sv:70:9: Signal unoptimizable: Circular logic: 'top.a.loop'"
    built.write_text(f"other\n{loop}\n  ... more\n", encoding="utf-8")
    counters = with_fatal_error({"accesses_scored": 3}, log, built)
    assert counters["mismatches"] == 1
    assert counters["verdicts"][0].startswith("SIM-LOOP")
    assert "'top.a.loop' (f.sv:70)" in counters["verdicts"][0]


def test_an_error_that_the_rtl_raises_is_a_verdict(tmp_path: Path) -> None:
    log, built = tmp_path / "sim.log", tmp_path / "verilate.log"
    log.write_text("%Error: f.sv:7: Assertion failed in top.a\n", encoding="utf-8")
    built.write_text("", encoding="utf-8")
    counters = with_fatal_error({"verdicts": ["1 ns R: first."], "mismatches": 1}, log, built)
    assert counters["verdicts"] == ["1 ns R: first.", "SIM-ERROR: f.sv:7: Assertion failed in top.a"]
    log.write_text("nothing\n", encoding="utf-8")
    assert with_fatal_error({"mismatches": 0}, log, built) == {"mismatches": 0}


def test_a_crash_shows_the_last_line_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "sim.log").write_text("first\nSegmentation fault\n\n", encoding="utf-8")
    message = judge_end(Ended(-11, False, 1, 1), RUN, tmp_path / "results.xml", {})
    assert "status -11" in message
    assert "Segmentation fault" in message


def test_an_error_in_the_log_is_shown_before_its_last_line(tmp_path: Path) -> None:
    (tmp_path / "sim.log").write_text(
        "tb.models.ProfileError: no TOML\n- :0: Verilog $finish\n", encoding="utf-8"
    )
    assert "ProfileError: no TOML" in judge_end(GOOD, RUN, tmp_path / "results.xml", {})


def test_a_failing_exit_status_is_a_failure(tmp_path: Path) -> None:
    assert "status 1" in judge_end(Ended(1, False, 1, 1), RUN, _results(tmp_path, "<testcase/>"), SCORED)


def test_a_test_that_was_not_scored_fails(tmp_path: Path) -> None:
    assert "counters.json" in judge_end(GOOD, RUN, _results(tmp_path, "<testcase/>"), {})


def test_mismatches_fail_a_test_that_passed(tmp_path: Path) -> None:
    message = judge_end(GOOD, RUN, _results(tmp_path, "<testcase/>"), {**SCORED, "mismatches": 2})
    assert message.startswith("2 mismatches")


def test_counters_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    assert read_counters(path) == {}
    path.write_text("{", encoding="utf-8")
    assert read_counters(path) == {}
