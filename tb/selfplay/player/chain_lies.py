"""Lies about a chain beyond its answer: memory that is not its to read or write."""

from __future__ import annotations

from tb.models.virtqueue import Chain
from tb.selfplay.clock import Steps
from tb.selfplay.lies import Liar
from tb.selfplay.player.core import Core
from tb.selfplay.player.disk import Job

NOBODYS = 0x0F00_0000
"""An address that no guest gives away."""


def after_walk(core: Core, chain: Chain) -> Steps[None]:
    """The chain is known."""
    liar, port = core.liar, core.port
    if chain.writable and chain.writable[0].length and liar.lies("reads_writable"):
        yield from port.read(chain.writable[0].address, 1)
    if liar.lies("reads_elsewhere"):
        yield from port.read(NOBODYS, 16)


def after_answer(core: Core, chain: Chain) -> Steps[None]:
    """All is written."""
    liar, port = core.liar, core.port
    if chain.readable and chain.readable[0].length and liar.lies("writes_readable"):
        yield from port.write(chain.readable[0].address, b"\x55")
    if liar.lies("writes_elsewhere"):
        yield from port.write(NOBODYS, b"\x55" * 4)


def used_length(liar: Liar, chain: Chain, right: int) -> int:
    """The used length that is told."""
    if liar.lies("used_too_long"):
        return chain.writable_length + 5
    if liar.lies("used_length"):
        return right - 1 if right else min(1, chain.writable_length)
    return right


def zeros_to_disk(core: Core, job: Job | None, prefix: bytes) -> Steps[bool]:
    """A read of a write's data failed: the lie is to write zeros all the same. False: the request ends."""
    if job is None or not core.liar.lies("disk_after_fault"):
        return False
    size = job.request.count * 512
    core.clock.fire(job.data, prefix[16:].ljust(size, b"\0")[:size])
    yield 1
    return False
