"""The judge on register reads: a predicted value for each byte, a set where timing decides (VPCI-REG)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb.models.judge.media import CapacityChanged
from tb.pcie.tlp import Channel, completion_for, io_read
from tests.unit.fake_function import BAR0, FUNCTION_ID, Fact, FakeFunction
from tests.unit.planting import altered, assert_clean, flipped, rules


def started(*, msix: bool = True) -> FakeFunction:
    function = FakeFunction()
    function.start(msix=msix)
    return function


def last_read_flipped(function: FakeFunction, byte: int) -> list[Fact]:
    """The facts with one byte of the last completion's data wrong."""
    place = len(function.facts) - 1
    tlp = function.facts[place].tlp
    assert tlp is not None
    return altered(function.facts, place, data=flipped(tlp.data, byte))


BAR0_RULES = {
    0x00: "VPCI-STAT-16",
    0x04: "VPCI-STAT-17",
    0x08: "VPCI-Q-08",
    0x0C: "VPCI-Q-03",
    0x0E: "VPCI-REG-21",
    0x10: "VPCI-REG-20",
    0x12: "VPCI-STAT-13",
    0x13: "VPCI-INT-02",
    0x18: "VBLK-03",
    0x1C: "VBLK-03",
    0x30: "VPCI-REG-14",
}


@pytest.mark.parametrize(
    ("msix", "offset", "rule"),
    [
        *((msix, offset, rule) for msix in (False, True) for offset, rule in BAR0_RULES.items()),
        (True, 0x14, "VPCI-INT-10"),
        (True, 0x16, "VPCI-INT-10"),
        (False, 0x14, "VBLK-03"),
        (False, 0x16, "VBLK-03"),
    ],
)
def test_a_wrong_byte_of_bar0_names_its_own_rule(msix: bool, offset: int, rule: str) -> None:
    function = started(msix=msix)
    function.io_read(offset, 1)
    assert_clean(function)
    assert rules(last_read_flipped(function, offset & 3)) == {rule}


@pytest.mark.parametrize(
    ("offset", "rule"),
    [
        (0x04, "VPCI-STAT-06"),
        (0x08, "VPCI-STAT-06"),
        (0x0E, "VPCI-REG-22"),
        (0x12, "VPCI-STAT-02"),
        (0x14, "VPCI-INT-11"),
        (0x16, "VPCI-INT-11"),
    ],
)
def test_after_a_reset_a_wrong_byte_is_the_reset_s_fault(offset: int, rule: str) -> None:
    function = started()
    function.io_write(0x12, 1, 0)
    function.io_read(offset, 1)
    assert_clean(function)
    assert rules(last_read_flipped(function, offset & 3)) == {rule}


@pytest.mark.parametrize("offset", [0x08, 0x0C, 0x16])
def test_of_a_queue_that_is_not_there_the_selector_is_to_blame(offset: int) -> None:
    function = started()
    function.io_write(0x0E, 2, 7)
    function.io_read(offset, 1)
    assert_clean(function)
    assert rules(last_read_flipped(function, offset & 3)) == {"VPCI-REG-21"}


def test_after_a_partial_write_the_byte_enables_are_to_blame() -> None:
    function = started()
    function.io_write(0x08, 1, 0x12)
    function.io_read(0x08, 1)
    assert_clean(function)
    assert rules(last_read_flipped(function, 0)) == {"VPCI-REG-10"}


def test_each_wrong_register_of_a_dw_has_a_verdict_of_its_own() -> None:
    function = started()
    function.io_read(0x10, 4)
    assert_clean(function)
    place = len(function.facts) - 1
    tlp = function.facts[place].tlp
    assert tlp is not None
    wrong = altered(function.facts, place, data=bytes(byte ^ 0x80 for byte in tlp.data))
    assert rules(wrong) == {"VPCI-REG-20", "VPCI-STAT-13", "VPCI-INT-02"}


CONFIG_RULES = {
    0x00: "VPCI-DISC-01",
    0x02: "VPCI-DISC-02",
    0x04: "PCI-CFG-03",
    0x08: "VPCI-DISC-03",
    0x0E: "PCI-CFG-01",
    0x10: "PCI-BAR-01",
    0x14: "PCI-BAR-01",
    0x18: "PCI-BAR-08",
    0x2E: "VPCI-DISC-04",
    0x34: "PCI-CFG-10",
    0x3C: "PCI-CFG-09",
    0x40: "PCI-CFG-10",
    0x43: "PCI-MSIX-01",
    0x44: "PCI-MSIX-02",
    0x50: "PCI-CFG-10",
    0x54: "PCI-FLR-01",
    0x70: "PCI-CFG-01",
    0xFC: "PCI-CFG-01",
}


@pytest.mark.parametrize(("offset", "rule"), CONFIG_RULES.items())
def test_a_wrong_byte_of_configuration_space_names_its_own_rule(offset: int, rule: str) -> None:
    function = started()
    function.config_read(offset, 1)
    assert_clean(function)
    assert rules(last_read_flipped(function, offset & 3)) == {rule}


@pytest.mark.parametrize(
    ("offset", "rule"),
    [
        *((offset, "PCI-MSIX-03") for offset in (0x00, 0x08, 0x0C, 0x2C)),
        *((offset, "PCI-MSIX-12") for offset in (0x30, 0x7F0, 0xFFC)),
        (0x804, "PCI-MSIX-04"),
    ],
)
def test_a_wrong_word_of_bar1_is_told(offset: int, rule: str) -> None:
    function = started()
    function.mem_read(offset)
    assert_clean(function)
    assert rules(last_read_flipped(function, 0)) == {rule}


@pytest.mark.parametrize("bit", [1 << 0, 1 << 3, 1 << 5, 1 << 7])
def test_an_error_bit_nobody_caused_is_told(bit: int) -> None:
    function = started()
    function.config_read(0x04)
    place = len(function.facts) - 1
    tlp = function.facts[place].tlp
    assert tlp is not None
    assert rules(altered(function.facts, place, data=flipped(tlp.data, 3, bit))) == {"PCI-CFG-05"}


def test_transactions_pending_is_told_while_a_read_is_outstanding() -> None:
    function = started()
    function.config_read(0x58)
    access = function.facts[-2:]
    function.facts = function.facts[:-2]
    function.request(0, 3, 512)
    function.kick()
    read = next(i for i, fact in enumerate(function.facts) if fact.channel is Channel.RX_CPL)
    now = function.facts[read - 1].time_ns
    inside = [replace(fact, time_ns=now) for fact in access]
    during = [*function.facts[:read], *inside, *function.facts[read:]]
    assert "PCI-FLR-07" in rules(during)
    tlp = access[1].tlp
    assert tlp is not None
    assert_clean(altered(during, read + 1, data=flipped(tlp.data, 2, 0x20)))


def test_capacity_may_read_old_or_new_while_it_changes() -> None:
    function = started()
    old = function.device.config_bytes()[:4]
    request = io_read(BAR0 + 0x18, 4, tag=30)
    function.add(Channel.RX_REQ, request)
    function.device.resize(0x1234)
    function.add_media(CapacityChanged(0x1234))
    new = function.device.config_bytes()[:4]
    message = function.model.config_interrupt()
    assert message is not None
    for data in (old, new):
        answer = completion_for(request, data, completer_id=FUNCTION_ID)
        function.facts = [
            f for f in function.facts if f.channel is not Channel.TX_CPL or f.tlp is None or f.tlp.tag != 30
        ]
        function.add(Channel.TX_CPL, answer)
        assert "VBLK-03" not in rules(function.facts)
    mixed = old[:1] + b"\x77" + new[2:]
    function.facts.pop()
    function.add(Channel.TX_CPL, completion_for(request, mixed, completer_id=FUNCTION_ID))
    assert "VBLK-03" in rules(function.facts)


def test_capacity_must_read_new_some_time_after_the_change() -> None:
    function = started()
    old = function.device.config_bytes()[:4]
    function.resize(0x1234)
    function.wait(5_000)
    function.io_read(0x18, 4)
    assert_clean(function)
    assert rules(altered(function.facts, len(function.facts) - 1, data=old)) == {"VPCI-REG-18"}
