"""The judge on a device configuration that changes: never back and forth, never half (VPCI-REG-18)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb.models.judge.media import CapacityChanged
from tb.models.profile import VIRTIO_PCI_RTL
from tb.pcie.tlp import Channel
from tests.unit.fake_function import Fact, FakeFunction, judged
from tests.unit.planting import Facts, altered, assert_clean, rules

LOW, HIGH = 0x18, 0x1C
OLD, NEW, NEWER = 0x40, 0x7_0000_1234, 0x9_0000_5678
TORN = {"VPCI-REG-18"}


def started(*, msix: bool = True) -> FakeFunction:
    """A running function whose disk has `OLD` sectors."""
    function = FakeFunction()
    function.start(msix=msix)
    return function


def silent_change(function: FakeFunction, sectors: int) -> None:
    """The disk changes; nothing tells of it yet."""
    function.add_media(CapacityChanged(sectors))


def read(function: FakeFunction, register: int, sectors: int) -> None:
    """A half of the capacity is read, and shows that of `sectors`."""
    function.io_read(register, 4)
    half = sectors >> (32 if register == HIGH else 0) & 0xFFFF_FFFF
    shown = half.to_bytes(4, "little")
    function.facts = altered(function.facts, len(function.facts) - 1, data=shown)


@pytest.mark.parametrize("first", [OLD, NEW])
def test_a_change_may_show_at_once_or_a_little_later(first: int) -> None:
    function = started()
    silent_change(function, NEW)
    read(function, LOW, first)
    read(function, HIGH, NEW)
    read(function, LOW, NEW)
    assert_clean(function, end=False)


def test_the_old_value_long_after_the_change_is_told() -> None:
    function = started()
    silent_change(function, NEW)
    function.wait(VIRTIO_PCI_RTL.config_latency_ns)
    read(function, LOW, OLD)
    assert rules(function.facts, end=False) == TORN
    patient = replace(VIRTIO_PCI_RTL, config_latency_ns=1_000)
    assert not judged(function.facts, end=False, profile=patient)


PATIENT = replace(VIRTIO_PCI_RTL, config_latency_ns=100_000)


def told(function: FakeFunction, *, end: bool = False) -> set[str]:
    """The rules broken where a change may take long to show."""
    return {verdict.rule for verdict in judged(function.facts, end=end, profile=PATIENT)}


@pytest.mark.parametrize("register", [LOW, HIGH])
def test_the_old_value_after_a_new_byte_is_told(register: int) -> None:
    function = started()
    silent_change(function, NEW)
    read(function, LOW, OLD)
    read(function, HIGH, NEW)
    assert not told(function)
    read(function, register, OLD)
    assert told(function) == TORN


def test_the_old_value_after_the_message_is_told() -> None:
    function = started()
    function.resize(NEW)
    read(function, LOW, NEW)
    assert not told(function)
    read(function, LOW, OLD)
    assert told(function) == TORN
    early = started()
    early.resize(NEW)
    read(early, LOW, OLD)
    assert told(early) == TORN


def test_a_read_on_its_way_when_the_message_leaves_may_show_either() -> None:
    for shown in (OLD, NEW):
        function = started()
        read(function, LOW, shown)
        request, completion = function.facts[-2:]
        function.facts = function.facts[:-1]
        function.resize(NEW)
        function.facts = [*function.facts, replace(completion, time_ns=function.time_ns + 10)]
        assert request.channel is Channel.RX_REQ
        assert not told(function)


def test_a_message_on_the_vector_of_a_queue_tells_nothing() -> None:
    function = started()
    function.io_write(0x14, 2, 1)
    function.resize(NEW)
    read(function, LOW, OLD)
    assert not told(function)


def test_the_old_value_after_the_isr_bit_is_told() -> None:
    function = started(msix=False)
    function.resize(NEW)
    function.io_read(0x13, 1)
    read(function, 0x14, NEW)
    assert not told(function)
    function.facts = altered(function.facts, len(function.facts) - 1, data=OLD.to_bytes(4, "little"))
    assert told(function) == TORN


def test_changes_in_a_row_show_in_their_order() -> None:
    function = started()
    silent_change(function, NEW)
    silent_change(function, NEWER)
    for sectors in (OLD, NEW, NEW, NEWER):
        read(function, LOW, sectors)
        read(function, HIGH, sectors)
    assert not told(function)
    backwards: Facts = function.facts
    for earlier in (OLD, NEW):
        function.facts = backwards
        read(function, LOW, earlier)
        assert told(function) == TORN


def test_one_dword_is_of_one_version() -> None:
    function = started()
    silent_change(function, 0x1234_5678)
    read(function, LOW, 0x1234_0040)
    assert told(function) == TORN


def test_a_value_of_no_version_is_a_wrong_register() -> None:
    function = started()
    silent_change(function, NEW)
    read(function, LOW, 0x77)
    assert told(function) == {"VBLK-03"}


def test_a_change_right_after_a_reset_of_the_function_is_no_change() -> None:
    function = started()
    silent_change(function, NEW)
    function.tell(lambda judge, ns: judge.cold_reset(ns))
    again = FakeFunction()
    again.time_ns = function.time_ns
    again.device.resize(NEW)
    again.device.take_config_changes()
    again.start()
    read(again, LOW, NEW)
    facts: list[Fact] = [*function.facts, *again.facts]
    assert_clean(facts, end=False)
