"""The test plan (`testplan.toml`): testpoints, and which test runs on which configuration of the function.

The configurations are those of the function's description (`dut.toml`). A testpoint that names none which the
function has runs on its default, the first one.

The tests themselves are found by reading `tests/sim/test_*.py` without importing them (they need a
simulator): a test is what has the decorator `pyuvm.test` (a class) or `cocotb.test` (a function). A test that
no testpoint names still runs, on its device's default.
"""

from __future__ import annotations

import ast
import difflib
import fnmatch
import re
import tomllib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tb.dut.description import NEEDS, Description, read_description
from tb.dut.table import DutError
from tb.flow.errors import FlowError
from tb.flow.paths import OWN_DUT, ROOT, TEST_PLAN, shown

SIM_TESTS = ROOT / "tests" / "sim"
DEFAULT_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Configuration:
    """One RTL build: its name, the device it is, the parameters that differ from those of its description.

    `has` is what it has of what a test may need (`tb.dut.description.NEEDS`).
    """

    name: str
    device: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    dut: Path = OWN_DUT
    has: frozenset[str] = frozenset(NEEDS)

    @property
    def folder_name(self) -> str:
        """Its build's folder: functions other than the project's own are told apart by their descriptions."""
        if self.dut == OWN_DUT:
            return self.name
        return f"{self.name}-{zlib.crc32(str(self.dut).encode()):08x}"


@dataclass(frozen=True, slots=True)
class SimTest:
    """One test class of `tests/sim`: its module as Python imports it, and its docstring's first line."""

    name: str
    module: str
    summary: str


@dataclass(frozen=True, slots=True)
class Testpoint:
    """One line of the plan: what is shown (`requirements`), by which tests, on which configurations.

    `needs` is what a function must have for it to mean anything.
    """

    name: str
    stage: str
    summary: str
    requirements: tuple[str, ...]
    configurations: tuple[str, ...]
    tests: tuple[str, ...]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One test on one configuration, with its wall-clock limit in seconds.

    `lacks` says in words what the function lacks for it; then it is not applicable.
    """

    test: SimTest
    configuration: Configuration
    limit_s: float = DEFAULT_LIMIT_S
    lacks: str = ""

    @property
    def name(self) -> str:
        """Short and unique in the plan."""
        return f"{self.test.name}-{self.configuration.name}"


class Plan:
    """The plan, and the tests that are really there."""

    def __init__(
        self,
        configurations: Iterable[Configuration],
        testpoints: Iterable[Testpoint],
        tests: Iterable[SimTest],
    ) -> None:
        self.configurations = {one.name: one for one in configurations}
        self.testpoints = tuple(testpoints)
        self.tests = {one.name: one for one in tests}

    @property
    def devices(self) -> list[str]:
        """The devices there are configurations of; a device's first configuration is its default."""
        return list(dict.fromkeys(one.device for one in self.configurations.values()))

    def default_configuration(self, device: str) -> Configuration:
        """The first configuration of a device. Raises FlowError, listing the known ones."""
        for one in self.configurations.values():
            if one.device == device:
                return one
        raise FlowError(unknown("DEVICE", device, self.devices))

    def configuration(self, name: str) -> Configuration:
        """The configuration of that name. Raises FlowError, listing the known ones."""
        if name not in self.configurations:
            raise FlowError(unknown("CONFIG", name, self.configurations))
        return self.configurations[name]

    def configurations_of(self, test: SimTest) -> list[Configuration]:
        """Where the plan runs a test; the first device's default where the plan does not name it."""
        points = [point for point in self.testpoints if test.name in point.tests]
        names = dict.fromkeys(name for point in points for name in point.configurations)
        there = [self.configurations[name] for name in names if name in self.configurations]
        return there or [self.default_configuration(self.devices[0])]

    def find_tests(self, wanted: str) -> list[SimTest]:
        """The tests that a list names: `Queues,Registers*,main_job`.

        Each word is a test's name, a pattern of names, a testpoint, or a module (`main_job` for
        `tests/sim/test_main_job.py`). Raises FlowError, listing the known tests, for one that is none.
        """
        words = [word for word in re.split(r"[\s,]+", wanted) if word]
        found = dict.fromkeys(test.name for word in words for test in self._named(word))
        return [self.tests[name] for name in found]

    def _named(self, word: str) -> list[SimTest]:
        if word in self.tests:
            return [self.tests[word]]
        module = f"test_{word.removeprefix('test_')}"
        points = {name for point in self.testpoints if point.name == word for name in point.tests}
        found = [
            test
            for test in self.tests.values()
            if test.name in points
            or test.module.rpartition(".")[2] == module
            or fnmatch.fnmatchcase(test.name, word)
        ]
        if not found:
            raise FlowError(unknown("TEST", word, self.tests))
        return found

    def lacks(self, test: SimTest, where: Configuration) -> str:
        """What a configuration lacks for a test, in words; empty where it has all."""
        points = [point for point in self.testpoints if test.name in point.tests]
        needs = dict.fromkeys(need for point in points for need in point.needs)
        return ", ".join(NEEDS[need] for need in needs if need not in where.has)

    def runs(
        self, test: str | None = None, device: str | None = None, config: str | None = None
    ) -> list[Run]:
        """The runs that a command line selects, in the plan's order.

        Without `config`, a test runs on each configuration that the plan gives it (of `device`, if given).
        Raises FlowError for an unknown name and where nothing is selected.
        """
        if device is not None:
            self.default_configuration(device)
        tests = self.find_tests(test) if test is not None else list(self.tests.values())
        pairs = (
            [(one, self.configuration(config)) for one in tests]
            if config is not None
            else [(one, where) for one in tests for where in self.configurations_of(one)]
        )
        chosen = [
            Run(one, where, lacks=self.lacks(one, where))
            for one, where in pairs
            if device in (None, where.device)
        ]
        if not chosen:
            raise FlowError(
                f"No test is selected: {_selection(test, device, config)} match nothing in the plan."
            )
        return chosen


def _selection(test: str | None, device: str | None, config: str | None) -> str:
    given = (("TEST", test), ("DEVICE", device), ("CONFIG", config))
    return " ".join(f"{name}={value}" for name, value in given if value is not None)


def unknown(variable: str, value: str, known: Iterable[str]) -> str:
    """The sentence for a name that does not exist, with those that do."""
    names = sorted(known)
    near = difflib.get_close_matches(value, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{variable}={value} is unknown.{hint} Known: {', '.join(names) or 'none'}."


DECORATORS = ("pyuvm.test", "cocotb.test")
Definition = ast.ClassDef | ast.AsyncFunctionDef


def _definitions(tree: ast.Module) -> list[Definition]:
    """The module's top-level tests."""
    nodes = [node for node in tree.body if isinstance(node, Definition)]
    return [
        node for node in nodes if any(ast.unparse(one).startswith(DECORATORS) for one in node.decorator_list)
    ]


def read_tests(folder: Path = SIM_TESTS) -> list[SimTest]:
    """The test classes of all `test_*.py` in a folder. Raises FlowError for a file that is no Python."""
    tests = []
    for path in sorted(folder.glob("test_*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise FlowError(f"{shown(path)} line {error.lineno}: {error.msg}.") from None
        for node in _definitions(tree):
            summary = (ast.get_docstring(node) or "").partition("\n")[0]
            tests.append(SimTest(node.name, f"tests.sim.{path.stem}", summary))
    return tests


def described(path: Path) -> Description:
    """The description of a function. Raises FlowError, naming file and field, for one that cannot be used."""
    try:
        return read_description(path)
    except DutError as error:
        raise FlowError(str(error)) from None


def _strings(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise FlowError(f"{shown(TEST_PLAN)}: {key} must be a list, not {value!r}.")
    return tuple(str(one) for one in value)


def configurations_of(dut: Description) -> list[Configuration]:
    """What a function can be built as; one of its own name where it names none."""
    named = dut.configurations or {dut.name.lower(): {}}
    return [
        Configuration(name, dut.device_type, given, dut.path, frozenset(dut.has(given)))
        for name, given in named.items()
    ]


def _needs(table: Mapping[str, object]) -> tuple[str, ...]:
    needs = _strings(table, "needs")
    for name in needs:
        if name not in NEEDS:
            raise FlowError(f"{shown(TEST_PLAN)}: {unknown('needs', name, NEEDS)}")
    return needs


def load_plan(
    path: Path = TEST_PLAN, tests: Iterable[SimTest] | None = None, *, dut: Path | None = None
) -> Plan:
    """The plan for the function that `dut` describes, or the project's own.

    Raises FlowError, naming the file, for one that cannot be read.
    """
    configurations = configurations_of(described(dut or OWN_DUT))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        testpoints = [
            Testpoint(
                name=str(one["name"]),
                stage=str(one["stage"]),
                summary=str(one["summary"]),
                requirements=_strings(one, "requirements"),
                configurations=_strings(one, "configurations"),
                tests=_strings(one, "tests"),
                needs=_needs(one),
            )
            for one in table.get("testpoint", [])
        ]
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise FlowError(f"{shown(path)} cannot be read: {error}.") from None
    except KeyError as error:
        raise FlowError(f"{shown(path)}: an entry lacks {error}.") from None
    return Plan(configurations, testpoints, read_tests() if tests is None else tests)
