"""`dut.toml`: everything the testbench has to know of a function, read and checked.

`docs/your-own-rtl.md` explains each field.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb.dut.boundary import Boundary, Media, read_boundary, read_media
from tb.dut.sources import Sources, read_sources
from tb.dut.table import DutError, Table
from tb.dut.values import Value, read_value, resolve
from tb.models.profile import Profile, ProfileError, choose, load_profile

_FASTEST_NS, _SLOWEST_NS = 2, 1000
_DEVICES = ("block",)


@dataclass(frozen=True, slots=True)
class Clock:
    """The port of the clock and its period in ns, an even number."""

    port: str
    period_ns: int


@dataclass(frozen=True, slots=True)
class Reset:
    """The port of the reset, and whether it resets when it is 0."""

    port: str
    active_low: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What the golden model has to know of one configuration of the function."""

    data_width: int
    queues: int
    queue_size: int
    vectors: int
    read_only: bool
    profile: Profile


# What a test may need of a function, in words.
NEEDS = {
    "dma": "DMA: the channels tx_req and rx_cpl",
    "media": "a media port",
    "msix": "MSI-X",
    "two_vectors": "two MSI-X vectors",
    "writable": "a disk that can be written",
}


@dataclass(frozen=True, slots=True)
class Description:
    """One function.

    `parameters` are those of its top with their defaults, as numbers or SystemVerilog expressions;
    `configurations` other values of them, by name. `device` holds the fields of `[device]`, `choices` the
    fields of the profile `base` that the function decides otherwise.
    """

    path: Path
    name: str
    sources: Sources
    top: str
    parameters: Mapping[str, Any]
    clock: Clock
    reset: Reset
    boundary: Boundary
    media: Media | None
    device_type: str
    device: Mapping[str, Value]
    base: Profile
    choices: Mapping[str, Value]
    configurations: Mapping[str, Mapping[str, Any]]

    def with_parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters, those `given` replaced. Raises DutError for one that the top does not have."""
        for name in given:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise DutError(f"{self.path}: {self.top} has no parameter {name}. Known: {known}.")
        return {**self.parameters, **given}

    def facts(self, given: Mapping[str, Any]) -> Facts:
        """What the model has to know with these parameters. Raises DutError for a profile that cannot be."""
        parameters = self.with_parameters(given)
        device = {name: resolve(value, parameters) for name, value in self.device.items()}
        choices = {name: resolve(value, parameters) for name, value in self.choices.items()}
        try:
            profile = choose(self.base, choices, name=self.name)
        except ProfileError as error:
            raise DutError(f"{self.path}: [profile]: {error}") from None
        return Facts(data_width=int(resolve(self.boundary.data_width, parameters)), profile=profile, **device)

    def has(self, given: Mapping[str, Any]) -> set[str]:
        """Which of `NEEDS` the function has with these parameters."""
        facts = self.facts(given)
        there = {
            "dma": self.boundary.dma,
            "media": self.media is not None,
            "msix": facts.vectors > 0,
            "two_vectors": facts.vectors > 1,
            "writable": not facts.read_only,
        }
        return {name for name, has in there.items() if has}


def read_description(path: Path) -> Description:
    """The description in a file. Raises DutError, naming file and field, for one that cannot be used."""
    path = path.resolve()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DutError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DutError(f"{path} is no TOML: {error}.") from None
    return _description(path, Table(str(path), values))


def _description(path: Path, table: Table) -> Description:
    top = table.table("top")
    parameters: dict[str, Any] = dict(top.take("parameters", dict, {}))
    base, choices = _profile(table.table("profile"), path.parent, parameters)
    device_type, device = _device(table.table("device"), parameters)
    found = Description(
        path=path,
        name=table.take("name", str, path.parent.name),
        sources=read_sources(table.table("sources"), path.parent),
        top=top.take("module", str),
        parameters=parameters,
        clock=_clock(table.table("clock")),
        reset=_reset(table.table("reset")),
        boundary=read_boundary(table.table("boundary"), parameters),
        media=read_media(table.table("media"), device_type) if table.has("media") else None,
        device_type=device_type,
        device=device,
        base=base,
        choices=choices,
        configurations=_configurations(table.table("configuration", required=False), parameters),
    )
    top.end()
    table.end()
    found.facts({})
    for given in found.configurations.values():
        found.facts(given)
    return found


def _clock(table: Table) -> Clock:
    clock = Clock(table.take("port", str), table.take("period_ns", int, 8))
    table.end()
    if clock.period_ns % 2 or not _FASTEST_NS <= clock.period_ns <= _SLOWEST_NS:
        limits = f"an even number from {_FASTEST_NS} to {_SLOWEST_NS}"
        raise DutError(f"{table.where}: period_ns must be {limits}, not {clock.period_ns}.")
    return clock


def _reset(table: Table) -> Reset:
    reset = Reset(table.take("port", str), table.choice("active", ("low", "high"), "low") == "low")
    table.end()
    return reset


def _device(table: Table, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Value]]:
    device_type = table.choice("type", _DEVICES, "block")
    defaults = {"queues": 1, "queue_size": 256, "vectors": 3, "read_only": False}
    device = {
        name: read_value(f"{table.where} {name}", table.raw(name, value), parameters)
        for name, value in defaults.items()
    }
    table.end()
    return device_type, device


def _profile(table: Table, folder: Path, parameters: Mapping[str, Any]) -> tuple[Profile, dict[str, Value]]:
    """The profile named by `base` (shipped, or a file beside the description), and what differs from it."""
    name = table.take("base", str, "VIRTIO_PCI_RTL")
    try:
        base = load_profile(str(folder / name) if name.endswith(".toml") else name)
    except ProfileError as error:
        raise DutError(f"{table.where}: {error}") from None
    choices = {
        field: read_value(f"{table.where} {field}", value, parameters)
        for field, value in table.rest().items()
    }
    return base, choices


def _configurations(table: Table, parameters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Named sets of parameters, each a table of its own."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in table.rest().items():
        if not isinstance(value, dict):
            raise DutError(f"{table.where}: {name} must be a table of parameters, not {value!r}.")
        unknown = sorted(value.keys() - parameters.keys())
        if unknown:
            known = ", ".join(parameters) or "none"
            raise DutError(f"{table.where} {name}: no parameter {unknown[0]} under [top]. Known: {known}.")
        found[name] = dict(value)
    return found
