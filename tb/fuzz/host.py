"""What a genome can do to the function beyond the guest's accesses: the host's answers, and its disk."""

from __future__ import annotations

from typing import Protocol


class FuzzHost(Protocol):
    """The host and the disk behind the function. Clocks are the function's, sizes bytes or sectors of 512."""

    def reseed(self, seed: int) -> None:
        """Every choice of host, disk and pins follows this number from now on."""
        ...

    def answer_after(self, least: int, most: int) -> None:
        """Completions start so many clocks after their request."""
        ...

    def split_answers(self, per_256: int, gap: int) -> None:
        """Completions end early with that chance, their parts at most `gap` clocks apart."""
        ...

    def shape_answers(self, payload: int, boundary: int) -> None:
        """Completions carry at most `payload` bytes and end on multiples of `boundary`."""
        ...

    def stall(self, stream: str, per_256: int, longest: int) -> None:
        """A stream of the pins stands still with that chance a clock, for up to `longest` clocks."""
        ...

    async def spoil_read(self, fault: str, skip: int, good: int) -> None:
        """One of the function's reads goes wrong: after `skip` others and `good` bytes of its own."""
        ...

    def disk_after(self, least: int, most: int) -> None:
        """The disk answers so many clocks after a request."""
        ...

    async def fail_disk(self, skip: int) -> None:
        """One request to the disk fails, after `skip` that do not."""
        ...

    async def resize(self, sectors: int) -> None:
        """The disk has another size."""
        ...

    async def power_cycle(self) -> None:
        """The function is reset by its pin and knows nothing any more."""
        ...


class NoHost:
    """The host of a target that has none to control: every wish is granted by doing nothing."""

    def reseed(self, seed: int) -> None: ...

    def answer_after(self, least: int, most: int) -> None: ...

    def split_answers(self, per_256: int, gap: int) -> None: ...

    def shape_answers(self, payload: int, boundary: int) -> None: ...

    def stall(self, stream: str, per_256: int, longest: int) -> None: ...

    async def spoil_read(self, fault: str, skip: int, good: int) -> None: ...

    def disk_after(self, least: int, most: int) -> None: ...

    async def fail_disk(self, skip: int) -> None: ...

    async def resize(self, sectors: int) -> None: ...

    async def power_cycle(self) -> None: ...
