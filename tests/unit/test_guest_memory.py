"""Guest RAM: sparse, zero until written, anywhere in 64 bits."""

from __future__ import annotations

import pytest

from tb.guest.host_bus import run
from tb.guest.memory import PAGE, Arena, OutOfMemoryError, SparseMemory


def test_memory_never_written_reads_zero() -> None:
    assert SparseMemory().read(1 << 45, 300) == bytes(300)


@pytest.mark.parametrize("address", [0, PAGE - 3, 5 * PAGE - 1, 0xFFFF_FFFF, (1 << 52) - 7])
def test_what_is_written_across_a_page_border_reads_back(address: int) -> None:
    memory = SparseMemory()
    data = bytes(i & 0xFF for i in range(2 * PAGE + 11))
    memory.write(address, data)
    assert memory.read(address, len(data)) == data
    assert memory.read(address + len(data), 3) == bytes(3)


def test_allocations_are_aligned_and_apart() -> None:
    memory = SparseMemory()
    first = memory.allocate(5, 1)
    second = memory.allocate(10, 4096)
    assert second % 4096 == 0
    assert second >= first + 5


def test_low_memory_ends_below_the_message_window() -> None:
    with pytest.raises(OutOfMemoryError):
        SparseMemory().allocate(0xFEC0_0000)


def test_an_arena_stays_within_its_bounds() -> None:
    arena = Arena(0x1_0000_0001, 64)
    assert arena.allocate(8, 16) == 0x1_0000_0010
    with pytest.raises(OutOfMemoryError):
        arena.allocate(64)


def test_run_refuses_code_that_waits() -> None:
    class Never:
        def __await__(self):  # type: ignore[no-untyped-def]
            yield

    async def waits() -> None:
        await Never()

    with pytest.raises(RuntimeError, match="event loop"):
        run(waits())
