"""The test plan: what it selects, and that the shipped one names only what exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.flow.errors import FlowError
from tb.flow.plan import Configuration, Plan, SimTest, load_plan, read_tests
from tb.flow.plan import Testpoint as Point

PLAN = """
[[testpoint]]
name = "registers"
stage = "V1"
summary = "Registers read as told."
requirements = ["VPCI-REG-01"]
configurations = ["block", "block_64"]
tests = ["Registers"]
"""
TESTS = [
    SimTest("MainJob", "tests.sim.test_main_job", ""),
    SimTest("Registers", "tests.sim.test_registers", ""),
]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    path = tmp_path / "testplan.toml"
    path.write_text(PLAN, encoding="utf-8")
    return load_plan(path, TESTS)


def test_a_test_runs_where_the_plan_says(plan: Plan) -> None:
    assert [run.name for run in plan.runs("Registers")] == ["Registers-block", "Registers-block_64"]


def test_a_test_outside_the_plan_runs_on_the_default(plan: Plan) -> None:
    assert [run.name for run in plan.runs("MainJob")] == ["MainJob-block"]


def test_a_module_names_all_its_tests(plan: Plan) -> None:
    assert [run.name for run in plan.runs("main_job")] == ["MainJob-block"]
    assert plan.find_tests("test_main_job") == plan.find_tests("main_job")


def test_a_list_of_names_patterns_and_testpoints(plan: Plan) -> None:
    assert [test.name for test in plan.find_tests("Reg*,MainJob")] == ["Registers", "MainJob"]
    assert [test.name for test in plan.find_tests("registers")] == ["Registers"]


def test_what_a_function_lacks_is_said_in_words(plan: Plan) -> None:
    bare = Configuration("bare", "block", has=frozenset({"msix"}))
    point = Point("rings", "V1", "", (), (), ("MainJob",), ("dma", "msix"))
    lacking = Plan([bare], [point], TESTS)
    (run,) = lacking.runs("MainJob")
    assert run.lacks == "DMA: the channels tx_req and rx_cpl"
    assert not plan.runs("MainJob")[0].lacks


def test_config_overrides_the_plan(plan: Plan) -> None:
    assert [run.name for run in plan.runs("MainJob", config="block_64")] == ["MainJob-block_64"]


def test_everything_is_selected_without_a_name(plan: Plan) -> None:
    assert len(plan.runs()) == 3


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"test": "Regsters"}, "Did you mean Registers.*Known: MainJob, Registers"),
        ({"device": "net"}, "DEVICE=net is unknown.*Known: block"),
        ({"config": "x"}, "Known: block, block_128"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(plan: Plan, arguments: dict[str, str], part: str) -> None:
    with pytest.raises(FlowError, match=part):
        plan.runs(**arguments)


def test_an_entry_that_lacks_a_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "testplan.toml"
    path.write_text("[[testpoint]]\nname = 'registers'\n", encoding="utf-8")
    with pytest.raises(FlowError, match="lacks 'stage'"):
        load_plan(path, [])


def test_tests_are_found_without_importing_them(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(
        "import nowhere\n"
        "class Helper: ...\n"
        "@pyuvm.test(timeout_time=1)\n"
        'class One:\n    """What one shows.\n\n    More.\n    """\n'
        "@cocotb.test()\n"
        "async def two(dut): ...\n",
        encoding="utf-8",
    )
    assert read_tests(tmp_path) == [
        SimTest("One", "tests.sim.test_a", "What one shows."),
        SimTest("two", "tests.sim.test_a", ""),
    ]


def test_the_shipped_plan_names_only_what_exists() -> None:
    plan = load_plan()
    for point in plan.testpoints:
        assert set(point.tests) <= set(plan.tests), point.name
        assert set(point.configurations) <= set(plan.configurations), point.name


def test_every_simulation_test_is_in_the_plan() -> None:
    plan = load_plan()
    assert set(plan.tests) == {name for point in plan.testpoints for name in point.tests}
