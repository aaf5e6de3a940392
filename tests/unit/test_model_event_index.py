"""EVENT_IDX against its definition on the device's end of a ring, round the whole 16-bit index and beyond."""

from __future__ import annotations

import random

import pytest

from tb.models.memory import Ram
from tb.models.profile import QEMU_7_2, VIRTIO_PCI_RTL, Profile
from tb.models.ring import DeviceRing
from tb.models.virtqueue import F_EVENT_IDX

SIZE = 8
PFN = 1
WRAP = 0x10000
LAPS = 2


def ring_on(profile: Profile) -> tuple[DeviceRing, Ram]:
    ram = Ram(((0, 1 << 16),))
    ring = DeviceRing(SIZE, profile, ram, lambda: 1 << F_EVENT_IDX)
    ring.move(PFN)
    return ring, ram


def publish(ring: DeviceRing, ram: Ram, used_event: int) -> None:
    assert ring.layout is not None
    ram.write(ring.layout.used_event, used_event.to_bytes(2, "little"))


@pytest.mark.parametrize("profile", [VIRTIO_PCI_RTL, QEMU_7_2], ids=lambda profile: profile.name)
def test_interrupt_is_due_when_the_event_was_passed(profile: Profile) -> None:
    """VRING-INT-03: it is, when an index that was just used up is the one the driver waits for."""
    chance = random.Random(f"event/{profile.name}")
    ring, ram = ring_on(profile)
    assert ring.layout is not None
    publish(ring, ram, 0)
    ring.in_flight = 1
    ring.push((0, 1))
    assert ring.wants_interrupt()  # the first decision: nothing is known of an earlier one
    done = 1  # counts without wrapping
    while done < LAPS * WRAP:
        batch = chance.randint(1, SIZE)
        event = done + chance.randint(-2, SIZE + 1)
        publish(ring, ram, event % WRAP)
        ring.in_flight = batch
        for _ in range(batch):
            ring.push((0, 1))
        passed = range(done, done + batch)
        assert ring.wants_interrupt() == (event in passed), (done, batch, event)
        done += batch
        assert ring.next_used == done % WRAP
        assert int.from_bytes(ram.read(ring.layout.used_index, 2), "little") == done % WRAP


@pytest.mark.parametrize("start", [0, 0x7FFF, 0xFFFE])
def test_every_event_of_all_2_to_the_16_is_decided_right(start: int) -> None:
    ring, ram = ring_on(VIRTIO_PCI_RTL)
    for event in range(WRAP):
        ring.next_used = start
        ring._signalled, ring._signalled_valid = start, True
        publish(ring, ram, event)
        ring.in_flight = 3
        ring.push((0, 1), (1, 1), (2, 1))
        assert ring.wants_interrupt() == ((event - start) % WRAP < 3), event
