"""Result files: whole or absent, readable by programs, with the command that reproduces."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tb.flow.errors import FlowError
from tb.flow.options import SimOptions
from tb.flow.paths import write_atomically
from tb.flow.plan import Configuration, Run, SimTest
from tb.flow.progress import Position, Progress, ProgressReader
from tb.flow.results import forget, write_results
from tb.flow.simulation import Outcome

RUN = Run(SimTest("MainJob", "tests.sim.test_main_job", ""), Configuration("block", "block"))


def _outcome(folder: Path, message: str = "", **counters: object) -> Outcome:
    return Outcome(RUN, 7, message, 1.5, 60.0, folder, counters)


def test_the_summary_sums_all_runs(tmp_path: Path) -> None:
    outcomes = [_outcome(tmp_path, accesses_scored=3, dma_scored=4), _outcome(tmp_path, accesses_scored=5)]
    write_results("sim", outcomes, 2.0, 7, folder=tmp_path)
    table = json.loads((tmp_path / "summary.json").read_text())
    assert {name: table[name] for name in ("tests", "passed", "failed", "seed")} == {
        "tests": 2,
        "passed": 2,
        "failed": 0,
        "seed": 7,
    }
    assert (table["accesses_scored"], table["dma_scored"], table["mismatches"]) == (8, 4, 0)
    assert table["wall_s"] == 2.0


def test_a_failure_is_in_junit_with_its_reproducing_command(tmp_path: Path) -> None:
    failed = _outcome(tmp_path, "used\x00index <wrong>", verdicts=["v1"])
    write_results("sim", [failed], 2.0, 7, folder=tmp_path)
    suite = ElementTree.parse(tmp_path / "results.xml").getroot()[0]
    assert suite.get("failures") == "1"
    failure = suite[0][0]
    assert failure.get("message") == "usedindex <wrong>"
    assert failure.text is not None
    assert "v1" in failure.text
    assert "make sim TEST=MainJob CONFIG=block SEED=7" in failure.text


def test_former_results_are_forgotten(tmp_path: Path) -> None:
    write_results("sim", [_outcome(tmp_path)], 2.0, 7, folder=tmp_path)
    forget("summary.json", "results.xml", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file", encoding="utf-8")
    with pytest.raises(FlowError, match="cannot be written"):
        write_atomically(tmp_path / "results" / "summary.json", "{}")


def test_options_come_back_as_they_went() -> None:
    options = SimOptions(device="block", parameters={"DataWidth": 64}, seed=9, disk="/a b", bytes_limit=512)
    assert SimOptions.from_environment({"VPCI_OPTIONS": options.to_json()}) == options
    assert SimOptions.from_environment({}) == SimOptions()


def test_an_option_of_another_version_is_named() -> None:
    with pytest.raises(ValueError, match="speed"):
        SimOptions.from_json('{"speed": 1}')


def test_progress_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    reader = ProgressReader(path)
    assert reader.latest() is None
    progress = Progress(str(path))
    progress.advance(1, 10, "reading")
    progress.advance(2, 10, "reading")  # too soon after the first: not written
    assert reader.latest() == Position(1, 10, "reading")
    assert reader.latest() is None
    progress.advance(3, 10, "writing")
    progress.advance(10, 10, "writing")
    assert reader.latest() == Position(10, 10, "writing")
    progress.close()
    progress.advance(1, 1, "after the end")
