"""The hunt for mutants: which test comes first, which pairs there are, what is counted and complained of."""

from __future__ import annotations

from pathlib import Path

from tb.flow.commands.mutants import apart, pairs
from tb.flow.mutant_hunt import Fate
from tb.flow.mutant_report import Report
from tb.flow.mutant_runs import History, Kill, Probe
from tb.flow.plan import Configuration, Run, SimTest
from tb.mutation.excuses import Excuse, Excuses
from tb.mutation.operators import mutants_of

SOURCE = (
    "module m (input logic a_i, input logic b_i, output logic c_o);\n  assign c_o = a_i & b_i;\nendmodule\n"
)
EVERY = mutants_of("rtl/m.sv", SOURCE, frozenset())


def _probe(name: str, wall_s: float) -> Probe:
    where = Configuration("block", "block")
    return Probe(Run(SimTest(name, "tests.sim.test_t", ""), where), frozenset(EVERY), wall_s, 1000)


def test_without_history_the_short_test_comes_first(tmp_path: Path) -> None:
    history = History(tmp_path / "history.json")
    probes = [_probe("Long", 9.0), _probe("Short", 1.0)]
    assert history.best("rtl/m.sv", probes).run.test.name == "Short"


def test_what_kills_comes_first_and_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    history = History(path)
    probes = [_probe("Long", 3.0), _probe("Short", 1.0)]
    for _ in range(9):
        history.note("rtl/m.sv", "Short-block", killed=False)
        history.note("rtl/m.sv", "Long-block", killed=True)
    assert history.best("rtl/m.sv", probes).run.test.name == "Long"
    assert history.best("rtl/other.sv", probes).run.test.name == "Long"
    history.keep()
    assert History(path).best("rtl/m.sv", probes).run.test.name == "Long"


def test_pairs_do_not_touch() -> None:
    outer = next(one for one in EVERY if one.operator == "or")
    other = mutants_of("rtl/n.sv", SOURCE, frozenset())[0]
    assert not apart(outer, EVERY[-1])
    assert apart(outer, other)
    found = pairs([*EVERY, *mutants_of("rtl/n.sv", SOURCE, frozenset())], 1)
    assert found
    assert all(apart(one, two) for one, two in found)


def _report(*fates: Fate, excuses: Excuses | None = None) -> Report:
    return Report(list(fates), {}, excuses or Excuses([]), EVERY)


def test_the_score_leaves_out_what_is_excused() -> None:
    killed, excused, alive = (Fate((one,)) for one in EVERY[:3])
    killed.kill = Kill("T-block", "12 ns PIN-LAST: wrong")
    mutant = excused.target[0]
    excuses = Excuses([Excuse(mutant.file, mutant.source, mutant.change, "because")])
    report = _report(killed, excused, alive, excuses=excuses)
    table = report.table()
    assert (table["generated"], table["killed"], table["excused"], table["survived"]) == (3, 1, 1, 1)
    assert table["score"] == 0.5
    assert table["by_file"]["rtl/m.sv"] == {"invalid": 0, "killed": 1, "excused": 1, "survived": 1}
    assert [one["mutant"] for one in table["survivors"]] == [alive.name]
    assert not report.holds
    assert f"again: make mutants MUTANT={alive.name}" in report.complaints()[0]


def test_an_excuse_that_is_killed_or_fits_nothing_is_told() -> None:
    fate = Fate((EVERY[0],), Kill("T-block", "12 ns PIN-LAST: wrong"))
    excuses = Excuses(
        [
            Excuse(EVERY[0].file, EVERY[0].source, EVERY[0].change, "because"),
            Excuse("rtl/m.sv", "assign gone = 1'b0;", "1'b0 => 1'd1", "because"),
        ]
    )
    report = _report(fate, excuses=excuses)
    assert not report.holds
    void, wrong = report.complaints()
    assert void.startswith("EXCUSE VOID rtl/m.sv: no mutant `1'b0 => 1'd1`")
    assert wrong.startswith(f"EXCUSE WRONG {EVERY[0].name} is excused, and T-block tells it")


def test_nothing_left_to_do_holds() -> None:
    report = _report(Fate((EVERY[0],), Kill("T-block", "told")))
    assert report.holds
    assert report.score == 1.0
