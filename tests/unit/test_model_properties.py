"""What holds for every sequence of accesses, tried with random ones."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from tb.models.actor import Actor, MediaOperation
from tb.models.devices.balloon import BalloonDevice
from tb.models.devices.base import DeviceModel, MediaRead, MediaResult, MediaTake
from tb.models.devices.block import BlockDevice
from tb.models.devices.console import ConsoleDevice, Port
from tb.models.devices.entropy import EntropyDevice
from tb.models.devices.net import NetDevice
from tb.models.function import FunctionModel
from tb.models.memory import Ram
from tb.models.profile import PROFILES, VIRTIO_PCI_RTL, Profile

RAM_BYTES = 1 << 20
SEQUENCES = 60

BUILDERS: dict[str, Callable[[Profile], DeviceModel]] = {
    "block": lambda profile: BlockDevice(profile, capacity=64, queue_size=8),
    "net": lambda profile: NetDevice(profile, mac=bytes(6), queue_size=8, control_queue_size=8),
    "console": lambda profile: ConsoleDevice(profile, ports=(Port(0, "p", True),), max_ports=2, queue_size=8),
    "balloon": lambda profile: BalloonDevice(profile, queue_size=8),
    "entropy": EntropyDevice,
}


class Nothing:
    """Media that always succeed."""

    def perform(self, operation: MediaOperation) -> MediaResult:
        if isinstance(operation, MediaRead):
            return MediaResult(True, bytes(operation.count * 512))
        if isinstance(operation, MediaTake):
            return MediaResult(True, bytes(operation.length))
        return MediaResult(True)


class WatchedRam(Ram):
    """RAM that counts what is read and written of it, to bound what the model asks for."""

    __slots__ = ("largest",)

    def __init__(self) -> None:
        super().__init__(((0, RAM_BYTES),))
        self.largest = 0

    def read(self, address: int, length: int) -> bytes:
        self.largest = max(self.largest, length)
        return super().read(address, length)


def actor_of(profile: Profile, device: DeviceModel) -> tuple[Actor, WatchedRam]:
    ram = WatchedRam()
    actor = Actor(FunctionModel(profile, device), ram, Nothing())
    actor.config_write(0x04, 2, 7)
    return actor, ram


profiles = st.sampled_from(sorted(PROFILES))
kinds = st.sampled_from(sorted(BUILDERS))
sizes = st.sampled_from([1, 2, 4])
# Small page numbers lie in RAM, so that queues really run.
values = st.one_of(
    st.integers(0, 40), st.integers(0, 0xFFFFFFFF), st.sampled_from([0x7, 0x8000, 0xC000, 0xFFFF])
)
accesses = st.one_of(
    st.tuples(st.just("config"), st.integers(0, 255), sizes, values),
    st.tuples(st.just("io"), st.integers(0, 70), sizes, values),
    st.tuples(st.just("io"), st.sampled_from([4, 8, 14, 16, 18, 20, 22]), sizes, values),
    st.tuples(st.just("mem"), st.integers(0, 4095), st.sampled_from([1, 2, 4, 8]), values),
)
memories = st.lists(st.tuples(st.integers(0, 0x28000), st.binary(min_size=1, max_size=24)), max_size=12)


def apply(actor: Actor, sequence: list[tuple[str, int, int, int]]) -> None:
    for space, offset, size, any_value in sequence:
        value = any_value & (1 << 8 * size) - 1
        if space == "config":
            actor.config_write(offset & ~(size - 1), size, value)
            read = actor.config_read(offset & ~(size - 1), size)
        elif space == "io":
            actor.io_write(offset, size, value)
            read = actor.io_read(offset, size)
        else:
            actor.mem_write(offset, size, value)
            read = actor.mem_read(offset, size)
        assert 0 <= read < 1 << 8 * size


@settings(max_examples=SEQUENCES)
@given(profiles, kinds, st.lists(accesses, max_size=60), memories)
def test_no_access_sequence_raises_or_reads_beyond_reason(
    name: str, kind: str, sequence: list[tuple[str, int, int, int]], memory: list[tuple[int, bytes]]
) -> None:
    actor, ram = actor_of(PROFILES[name], BUILDERS[kind](PROFILES[name]))
    for address, data in memory:
        ram.write(address, data)
    apply(actor, sequence)
    assert ram.largest <= RAM_BYTES


@settings(max_examples=SEQUENCES)
@given(profiles, kinds, st.lists(accesses, max_size=40))
def test_reset_from_any_state_gives_the_reset_state(
    name: str, kind: str, sequence: list[tuple[str, int, int, int]]
) -> None:
    """VPCI-STAT-06: the registers of a function reset by status 0 are those of a new one."""
    profile = PROFILES[name]
    used, _ = actor_of(profile, BUILDERS[kind](profile))
    apply(used, sequence)
    used.config_write(0x04, 2, 7)
    used.config_write(0x42, 2, 0)
    used.io_write(18, 1, 0)
    fresh, _ = actor_of(profile, BUILDERS[kind](profile))
    if kind == "balloon":  # what the driver reported stays, as the host asked for it
        fresh.device.actual = used.device.actual  # type: ignore[attr-defined]
    size = used.function.config.bar0_size
    assert [used.io_read(o, 1) for o in range(size)] == [fresh.io_read(o, 1) for o in range(size)]
    for queue in range(len(used.device.queue_sizes) + 1):
        for each in (used, fresh):
            each.io_write(14, 2, queue)
        assert used.io_read(8, 4) == fresh.io_read(8, 4)
    assert used.function.registers.vectors == {}
    assert used.function.msix.pending == 0
    assert not used.intx_line


steps = st.lists(
    st.sampled_from(["event", "mask", "unmask", "all", "none", "off", "on", "stop", "go"]), max_size=40
)


@settings(max_examples=200)
@given(steps)
def test_messages_are_neither_lost_nor_doubled(sequence: list[str]) -> None:
    """PCI-MSIX-07, PCI-MSIX-08: per stretch of masking, events become one message; unmasked, one each."""
    sent: list[int] = []
    function = FunctionModel(VIRTIO_PCI_RTL, BlockDevice(VIRTIO_PCI_RTL, capacity=8))
    actor = Actor(function, Ram(((0, 4096),)), Nothing(), lambda address, data: sent.append(data))
    actor.config_write(0x04, 2, 7)
    actor.config_write(0x42, 2, 0x8000)
    actor.mem_write(12, 4, 0)
    actor.io_write(22, 2, 0)
    masked = function_masked = stopped = pending = False
    enabled = True
    expected = 0
    for step in sequence:
        if step == "event":
            actor._send(function.queue_interrupt(0))
            if enabled and not (masked or function_masked or stopped):
                expected += 1
            elif enabled:
                pending = True
        elif step in ("mask", "unmask"):
            masked = step == "mask"
            actor.mem_write(12, 4, int(masked))
        elif step in ("stop", "go"):
            stopped = step == "stop"
            actor.config_write(0x04, 2, 3 if stopped else 7)
        else:
            function_masked = step == "all" or (step in ("off", "on") and function_masked)
            enabled = step == "on" or (step in ("all", "none") and enabled)
            actor.config_write(0x42, 2, enabled << 15 | function_masked << 14)
        if pending and enabled and not (masked or function_masked or stopped):
            expected += 1
            pending = False
        assert len(sent) == expected, step
        assert actor.mem_read(0x800, 4) == int(pending)
