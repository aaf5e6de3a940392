"""The judge on the first decision to interrupt after a start with EVENT_IDX (VRING-INT-03)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb.models.profile import VIRTIO_PCI_RTL
from tb.models.virtqueue import F_EVENT_IDX
from tests.unit.fake_function import FakeFunction, judged
from tests.unit.planting import assert_clean, dropped, find, rules, write_to

MESSAGE = write_to(0xFEE0_1100)
BY_EVENT = replace(VIRTIO_PCI_RTL, first_decision="by_event")


def first_request(used_event: int) -> FakeFunction:
    """A function that has served one request under a driver that asks for `used_event`."""
    function = FakeFunction()
    function.start(features=1 << F_EVENT_IDX)
    function.set_suppression(used_event=used_event)
    function.request(0, 3, 512)
    function.kick()
    return function


@pytest.mark.parametrize("used_event", [0, 1, 5, 0xFFFF])
def test_the_first_decision_interrupts_whatever_the_event(used_event: int) -> None:
    function = first_request(used_event)
    assert_clean(function)
    facts = function.facts
    assert rules(dropped(facts, find(facts, MESSAGE))) == {"VRING-INT-02"}


def test_the_first_decision_is_as_any_other_where_the_profile_says_so() -> None:
    facts = first_request(5).facts
    silent = dropped(facts, find(facts, MESSAGE))
    assert not judged(silent, profile=BY_EVENT)
    assert {verdict.rule for verdict in judged(facts, profile=BY_EVENT)} == {"VRING-INT-02"}


def test_the_first_event_is_never_missed() -> None:
    facts = first_request(0).facts
    assert not judged(facts, profile=BY_EVENT)
    silent = dropped(facts, find(facts, MESSAGE))
    assert {verdict.rule for verdict in judged(silent, profile=BY_EVENT)} == {"VRING-INT-02"}


def test_every_start_has_a_first_decision() -> None:
    function = first_request(5)
    function.attach(features=1 << F_EVENT_IDX)
    function.set_suppression(used_event=5)
    function.request(0, 3, 512)
    function.kick()
    assert_clean(function)
    facts = function.facts
    assert rules(dropped(facts, find(facts, MESSAGE, nth=-1))) == {"VRING-INT-02"}
