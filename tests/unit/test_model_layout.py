"""What a real endpoint chooses of configuration space: each choice a profile, impossible ones refused."""

from __future__ import annotations

from typing import Any

import pytest

from tb.models.config_space import BAR0, EXPANSION_ROM
from tb.models.devices.block import BlockDevice
from tb.models.function import FunctionModel
from tb.models.profile import VIRTIO_PCI_RTL, ProfileError, choose

COMMAND, MEMORY = 0x04, 2
PM = [0x01, 0xC8]
SERIAL_NUMBER = [[0x100, 0x00010003, 0, 0], [0x104, 0x11223344, 0, 0], [0x108, 0x55667788, 0, 0]]


def function(**choices: Any) -> FunctionModel:
    """A block function of the project's own profile with some choices made otherwise."""
    profile = choose(VIRTIO_PCI_RTL, choices, name="MINE")
    model = FunctionModel(profile, BlockDevice(profile, capacity=64))
    model.cold_reset()
    return model


def sized(model: FunctionModel, register: int) -> int:
    """What a BAR reads after ones were written to it."""
    model.config_write(register, 4, 0xFFFF_FFFF)
    return model.config_read(register, 4)


def walk(model: FunctionModel) -> list[tuple[int, int]]:
    """(id, offset) of the capability list."""
    found = []
    place = model.config_read(0x34, 1)
    while place:
        found.append((model.config_read(place, 1), place))
        place = model.config_read(place + 1, 1)
    return found


def test_the_capability_list_has_its_own_order() -> None:
    chain = [PM, [0x10, 0x50], [0x11, 0x40], [0x09, 0xD0]]
    model = function(capabilities=chain, config_dwords=[[0xC8, 0x00030000, 0, 0], [0xCC, 8, 0x103, 0x8000]])
    assert walk(model) == [tuple(entry) for entry in chain]
    assert model.config_read(0xC8, 4) == 0x0003_5001
    model.config_write(0xCC, 2, 0xFFFF)
    assert model.config_read(0xCC, 2) == 0x010B


def test_two_capabilities_of_one_kind_are_both_listed() -> None:
    assert walk(function(capabilities=[[0x09, 0x60], [0x11, 0x40], [0x09, 0x70]]))[2] == (0x09, 0x70)


def test_extended_space_holds_what_the_profile_says() -> None:
    model = function(config_dwords=SERIAL_NUMBER)
    assert model.config_read(0x108, 4) == 0x5566_7788
    model.config_write(0x104, 4, 0)
    assert model.config_read(0x104, 4) == 0x1122_3344
    assert model.config_read(0x200, 4) == 0
    assert function().config_read(0x104, 4) == 0


@pytest.mark.parametrize("size", [4096, 65536, 1 << 20])
def test_a_memory_bar_has_any_size(size: int) -> None:
    assert sized(function(bars=[[1, size, 0]]), BAR0 + 4) == 0x1_0000_0000 - size


def test_a_wide_bar_takes_two_registers() -> None:
    model = function(bars=[[2, 1 << 16, 0xC]], msix_table=[2, 0x1000], msix_pending=[2, 0x8000])
    assert sized(model, BAR0 + 8) == 0xFFFF_000C
    assert sized(model, BAR0 + 12) == 0xFFFF_FFFF
    model.config_write(BAR0 + 8, 4, 0x2345_0000)
    model.config_write(BAR0 + 12, 4, 1)
    assert model.config.bar_base(2) == 0x1_2345_0000
    assert sized(model, BAR0 + 4) == 0


def test_the_table_lies_where_the_profile_says() -> None:
    model = function(
        bars=[[1, 4096, 0], [4, 16384, 0]], msix_table=[4, 0x2000], msix_pending=[1, 0x100]
    )
    assert model.config_read(0x44, 4) == 0x2004
    assert model.config_read(0x48, 4) == 0x0101
    model.config_write(COMMAND, 2, MEMORY)
    model.mem_write(0x2000 + 8, 4, 0x1234, bar=4)
    assert model.mem_read(0x2000 + 8, 4, bar=4) == 0x1234
    assert model.mem_read(8, 4, bar=1) == 0
    assert model.mem_read(0x2000 + 12, 4, bar=4) == 1


def test_without_vectors_neither_the_bar_nor_the_capability_is_there() -> None:
    model = FunctionModel(VIRTIO_PCI_RTL, BlockDevice(VIRTIO_PCI_RTL, capacity=64, vectors=0))
    assert sized(model, BAR0 + 4) == 0
    assert walk(model) == [(0x10, 0x50)]


def test_an_expansion_rom_sizes() -> None:
    assert sized(function(expansion_rom=8192), EXPANSION_ROM) == 0xFFFF_E001
    assert sized(function(), EXPANSION_ROM) == 0


def test_the_ids_are_its_own() -> None:
    model = function(device_id=0x1009, subsystem_id=9, revision=0, subsystem_vendor=0x10EE)
    assert (model.config_read(0x02, 2), model.config_read(0x2C, 4)) == (0x1009, 0x0009_10EE)


@pytest.mark.parametrize(
    ("choices", "complaint"),
    [
        ({"bar0_minimum": 100}, "bar0_minimum must be a power of two"),
        ({"capabilities": [[0x11, 0x41], [0x10, 0x50]]}, "capability 0x11 lies at 0x41"),
        ({"capabilities": [[0x11, 0x3C]]}, "must be a whole DW from 0x40"),
        ({"capabilities": [[0x10, 0xE0]]}, "end below 0x100"),
        ({"capabilities": [[0x11, 0x40], [0x10, 0x48]]}, "overlap at 0x48"),
        ({"capabilities": [[0x11, 0x40], [0x11, 0x50]]}, "lists MSI-X twice"),
        ({"capabilities": [[0x11]]}, "each is"),
        ({"bars": [[1, 5000, 0]]}, "it must be a power of two"),
        ({"bars": [[1, 4096, 1]]}, "low bits 0x1"),
        ({"bars": [[5, 4096, 4]]}, "does not fit into the registers"),
        ({"bars": [[1, 4096, 4], [2, 4096, 0]]}, "BAR2 takes a register"),
        ({"bars": [[2, 4096, 0]]}, "msix_table lies in BAR1, which bars does not list"),
        ({"msix_pending": [1, 0x804]}, "must be a multiple of 8 inside BAR1"),
        ({"msix_pending": [1, 0x1000]}, "msix_pending lies at 0x1000"),
        ({"msix_entry_writable": [0, 0, 0, 0]}, "mask bit is writable"),
        ({"config_dwords": [[0x3C, 0, 0, 0]]}, "no whole DW past the header"),
        ({"config_dwords": [[0x60, 0, 1, 1]]}, "both written and cleared by ones"),
        ({"config_dwords": [[0x60, 0, 0, 0], [0x60, 0, 0, 0]]}, "names 0x60 twice"),
        ({"config_dwords": [[0x60, 1 << 32, 0, 0]]}, "more than 32 bits"),
        ({"expansion_rom": 3000}, "expansion_rom must be 0 or a power of two"),
        ({"revision": 256}, "revision must be 0x0 to 0xff"),
        ({"ring_features": 0x3100_0001}, "bits below 24 are the device's"),
        ({"queue_select_limit": 0}, "queue_select_limit must be 0x1"),
    ],
)
def test_an_impossible_choice_is_refused_by_name(choices: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ProfileError, match=complaint):
        choose(VIRTIO_PCI_RTL, choices, name="MINE")
