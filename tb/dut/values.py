"""Values that a parameter of the RTL decides: `{ parameter = "QueueSize", times = 1, plus = -2 }`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tb.dut.table import DutError, Table


@dataclass(frozen=True, slots=True)
class Follows:
    """A number that follows a parameter of the function's top, with a factor and an offset."""

    parameter: str
    plus: int = 0
    times: int = 1


Value = Any


def read_value(where: str, value: Any, parameters: Mapping[str, Any]) -> Value:
    """`value` as it stands, or a `Follows` where it is a table that names one of `parameters`."""
    if isinstance(value, list):
        return [read_value(where, one, parameters) for one in value]
    if not isinstance(value, dict) or "parameter" not in value:
        return value
    table = Table(where, value)
    follows = Follows(table.take("parameter", str), table.take("plus", int, 0), table.take("times", int, 1))
    table.end()
    if follows.parameter not in parameters:
        known = ", ".join(sorted(parameters)) or "none"
        raise DutError(f"{where}: there is no parameter {follows.parameter} under [top]. Known: {known}.")
    return follows


def resolve(value: Value, parameters: Mapping[str, Any]) -> Any:
    """What `value` is for these parameters."""
    if isinstance(value, list):
        return [resolve(one, parameters) for one in value]
    if isinstance(value, Follows):
        return int(parameters[value.parameter]) * value.times + value.plus
    return value
