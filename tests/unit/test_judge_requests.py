"""The judge on the form of what a function sends (BAD-DEV-18, VFIO-16, PCI-CFG-14)."""

from __future__ import annotations

from typing import Any

import pytest

from tb.pcie.tlp import Channel, MessageCode, Tlp, TlpError, TlpType, memory_read, memory_write
from tests.unit.fake_function import FUNCTION_ID, RING, FakeFunction
from tests.unit.planting import (
    altered,
    assert_clean,
    find,
    first_rule,
    inserted,
    read_of,
    rules,
    write_to,
)

DATA = 0x18_1000


def read_request(**options: int) -> FakeFunction:
    """A function that has served a read of two sectors."""
    function = FakeFunction(**options)
    function.start()
    function.request(0, 3, 1024)
    function.kick()
    return function


def test_a_right_request_is_not_accused() -> None:
    assert_clean(read_request())


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"requester_id": 0x0200}, "BAD-DEV-18"),
        ({"traffic_class": 1}, "VPCI-INT-16"),
        ({"attributes": 2}, "VPCI-INT-16"),
        ({"poisoned": True}, "BAD-DEV-18"),
        ({"digest": True}, "BAD-DEV-18"),
        ({"wide_address": True}, "BAD-DEV-18"),
        ({"last_be": 0}, "BAD-DEV-18"),
        ({"first_be": 0b1010}, "BAD-DEV-18"),
        ({"type": TlpType.IO_WRITE}, "BAD-DEV-18"),
        ({"type": TlpType.MEMORY_READ_LOCKED, "data": b""}, "BAD-DEV-18"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_header_field_is_told(fields: dict[str, Any], rule: str) -> None:
    facts = read_request().facts
    assert first_rule(altered(facts, find(facts, write_to(DATA)), **fields)) == rule


def test_a_write_across_4_kib_is_told() -> None:
    facts = read_request().facts
    assert first_rule(altered(facts, find(facts, write_to(DATA)), address=DATA - 4)) == "BAD-DEV-18"


def test_a_read_with_holes_is_judged_by_the_bytes_it_takes() -> None:
    facts = read_request().facts
    place = find(facts, read_of(RING + 0x80), nth=-1)
    assert_clean(altered(facts, place, first_be=0b1101))  # the flag, and the index
    assert "VPCI-Q-15" in rules(altered(facts, place, first_be=0b1011))


def test_a_payload_above_the_limit_is_told() -> None:
    assert_clean(read_request(max_payload=128))
    assert first_rule(read_request(max_payload=256).facts) == "VFIO-16"


def device_control(function: FakeFunction, payload: int, request: int) -> None:
    """Set Max_Payload_Size and Max_Read_Request_Size, in bytes."""
    codes = {128: 0, 256: 1, 512: 2}
    function.config_write(0x58, 2, codes[payload] << 5 | codes[request] << 12)


def test_the_limits_follow_device_control() -> None:
    function = FakeFunction(max_payload=512, max_read=128)
    function.start()
    device_control(function, 512, 128)
    for head in (0, 3):
        function.request(0, 3, 1024, head=head, place=0x18_0000 + 0x2000 * head)
    function.request(1, 3, 1024, head=0)
    function.kick()
    assert_clean(function)
    function.max_payload, function.max_read = 128, 512
    for _ in range(2):
        function.request(1, 3, 1024, head=0)
        function.kick()
    assert rules(function.facts) == {"VFIO-16"}


def test_a_tag_in_use_is_told() -> None:
    facts = read_request().facts
    first = find(facts, read_of(RING + 0x80))
    tag = facts[first].tlp
    assert tag is not None
    again = memory_read(RING + 0x82, 2, tag.tag, requester_id=FUNCTION_ID)
    assert "BAD-DEV-18" in rules(inserted(facts, first + 1, again))


def test_dma_with_bus_master_off_is_told() -> None:
    function = FakeFunction()
    function.start()
    function.config_write(0x04, 2, 0x0003)
    assert_clean(function)
    function.request(0, 3, 512)
    function.kick()
    assert first_rule(function.facts) == "PCI-CFG-14"


def test_dma_may_go_on_until_the_write_of_bus_master_completes() -> None:
    function = FakeFunction()
    function.start()
    function.request(0, 3, 512)
    function.kick()
    kicked = len(function.facts)
    function.config_write(0x04, 2, 0x0003)
    write, completion = function.facts[kicked], function.facts[kicked + 1]
    middle = find(function.facts, write_to(DATA))
    during = [*function.facts[:middle], write, *function.facts[middle : middle + 2], completion]
    assert_clean(during, end=False)
    late = [*function.facts[:middle], write, completion, *function.facts[middle:kicked]]
    assert first_rule(late, end=False) == "PCI-CFG-14"


@pytest.mark.parametrize("code", [MessageCode.ASSERT_INTB, MessageCode.ERR_FATAL])
def test_an_unknown_message_is_told(code: MessageCode) -> None:
    facts = read_request().facts
    message = Tlp(TlpType.MESSAGE, requester_id=FUNCTION_ID, message_code=code, message_routing=4)
    assert first_rule(inserted(facts, len(facts), message)) == "PCI-INT-01"


def test_what_cannot_be_decoded_is_told() -> None:
    function = read_request()
    function.tell(lambda judge, ns: judge.malformed(ns, Channel.TX_REQ, TlpError("No such type.")))
    assert first_rule(function.facts) == "BAD-DEV-18"


def test_what_the_host_sends_wrong_is_nobodys_fault() -> None:
    function = read_request()
    function.tell(lambda judge, ns: judge.malformed(ns, Channel.RX_REQ, TlpError("No such type.")))
    assert_clean(function)


def test_a_write_with_no_queue_is_told() -> None:
    function = FakeFunction()
    function.start()
    function.io_write(0x12, 1, 0)
    stray = memory_write(0x18_0000, bytes(4), requester_id=FUNCTION_ID)
    assert first_rule(inserted(function.facts, len(function.facts), stray)) == "VPCI-STAT-04"
