"""The test plan (`testplan.toml`): RTL configurations, testpoints, and which test runs on which
configuration.

The tests themselves are found by reading `tests/sim/test_*.py` without importing them (they need a
simulator): a test is what has the decorator `pyuvm.test` (a class) or `cocotb.test` (a function). A test that
no testpoint names still runs, on its device's default.
"""

from __future__ import annotations

import ast
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tb.flow.errors import FlowError
from tb.flow.paths import ROOT, TEST_PLAN, shown

SIM_TESTS = ROOT / "tests" / "sim"
DEFAULT_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Configuration:
    """One RTL build: its name, the device it is, and the Verilog parameters that differ from the defaults."""

    name: str
    device: str
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SimTest:
    """One test class of `tests/sim`: its module as Python imports it, and its docstring's first line."""

    name: str
    module: str
    summary: str


@dataclass(frozen=True, slots=True)
class Testpoint:
    """One line of the plan: what is shown (`requirements`), by which tests, on which configurations."""

    name: str
    stage: str
    summary: str
    requirements: tuple[str, ...]
    configurations: tuple[str, ...]
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One test on one configuration, with its wall-clock limit in seconds."""

    test: SimTest
    configuration: Configuration
    limit_s: float = DEFAULT_LIMIT_S

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
        names = [c for point in self.testpoints if test.name in point.tests for c in point.configurations]
        if not names:
            return [self.default_configuration(self.devices[0])]
        return [self.configuration(name) for name in dict.fromkeys(names)]

    def find_tests(self, wanted: str) -> list[SimTest]:
        """Tests by class name, or all those of a module (`main_job` for `tests/sim/test_main_job.py`).

        Raises FlowError, listing the known tests.
        """
        if wanted in self.tests:
            return [self.tests[wanted]]
        module = wanted.removeprefix("test_")
        found = [test for test in self.tests.values() if test.module.rpartition(".")[2] == f"test_{module}"]
        if not found:
            raise FlowError(unknown("TEST", wanted, self.tests))
        return found

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
        chosen = [Run(one, where) for one, where in pairs if device in (None, where.device)]
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


def _strings(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise FlowError(f"{shown(TEST_PLAN)}: {key} must be a list, not {value!r}.")
    return tuple(str(one) for one in value)


def load_plan(path: Path = TEST_PLAN, tests: Iterable[SimTest] | None = None) -> Plan:
    """Read the plan. Raises FlowError, naming the file, for one that cannot be read."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        configurations = [
            Configuration(name, str(one["device"]), dict(one.get("parameters", {})))
            for name, one in table["configuration"].items()
        ]
        testpoints = [
            Testpoint(
                name=str(one["name"]),
                stage=str(one["stage"]),
                summary=str(one["summary"]),
                requirements=_strings(one, "requirements"),
                configurations=_strings(one, "configurations"),
                tests=_strings(one, "tests"),
            )
            for one in table.get("testpoint", [])
        ]
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise FlowError(f"{shown(path)} cannot be read: {error}.") from None
    except KeyError as error:
        raise FlowError(f"{shown(path)}: an entry lacks {error}.") from None
    return Plan(configurations, testpoints, read_tests() if tests is None else tests)
