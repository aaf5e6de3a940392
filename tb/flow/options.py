"""What a command tells a simulation process: one JSON value in one environment variable.

The command writes it (`SimOptions.to_environment`), the base class of the simulation tests reads it
(`SimOptions.from_environment`). Nothing else passes between the two on the way in.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tb.flow.paths import OWN_DUT

VARIABLE = "VPCI_OPTIONS"


@dataclass(frozen=True, slots=True)
class SimOptions:
    """Options of one run of one test on one build.

    `dut` is the description of the function, `device` the device's name (`block`), `configuration` the name
    of the RTL configuration and `parameters` its Verilog parameters (name to value, those that differ from
    the description's). `test` is the test's class name. `seed` is a non-negative integer; the same seed gives
    the same run. `disk` is the user's disk image or None for the test's own, `bytes_limit` how much of it is
    read (bytes, None: all). The run ends itself after so many `verdicts` (0: never). `hostile` is what a
    hostile function does, "" for any other. `extra` belongs to the test alone (JSON values by name).
    The judge's profile has the fields `choices` otherwise than the description says.
    `results_dir` is where the test writes `counters.json` and its verdicts, `progress` the file it appends
    its progress to ("" for none).

    `faults` are the numbers of the planted faults that are on, for a build that has some (at most two).
    `upset` is a register's number, the bit of it that flips, and when (ns), for a build that can do that.
    `stop_at` are the rules at whose first verdict the run ends itself; `limit_ns` is the simulated time at
    which it ends itself at the latest (0: no limit).
    """

    dut: str = str(OWN_DUT)
    device: str = "block"
    configuration: str = "block"
    parameters: Mapping[str, int] = field(default_factory=dict)
    test: str = ""
    seed: int = 1
    waves: bool = False
    disk: str | None = None
    bytes_limit: int | None = None
    verdicts: int = 1000
    hostile: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, Any] = field(default_factory=dict)
    results_dir: str = "."
    progress: str = ""
    faults: tuple[int, ...] = ()
    upset: tuple[int, ...] = ()
    stop_at: tuple[str, ...] = ()
    limit_ns: int = 0

    def to_json(self) -> str:
        """The value of the environment variable."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> SimOptions:
        """Read what `to_json` wrote.

        Raises ValueError, naming the field, for one this version does not know.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"{VARIABLE} must hold a JSON object")
        known = {option.name for option in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"{VARIABLE} has unknown fields: {', '.join(unknown)}")
        for name in ("faults", "upset", "stop_at"):
            if name in values:
                values[name] = tuple(values[name])
        return cls(**values)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> SimOptions:
        """The options of this process; the defaults where no command started it."""
        text = environment.get(VARIABLE, "")
        return cls.from_json(text) if text else cls()
