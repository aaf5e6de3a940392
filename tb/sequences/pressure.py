"""Scenarios that press on the access side: many requests at once, and `ready` taken away under them."""

from __future__ import annotations

from tb.pcie.tlp import Tlp, TlpType, memory_read
from tb.sequences import bursts, config_space, msix_table, registers
from tb.sequences.scene import ALL_BYTES, Pace, Scene, Space

WRITABLE_CONFIG = (0x0C, 0x3C)
"""Registers whose write disturbs nothing: cache line size, interrupt line."""


async def sweep_under_pressure(scene: Scene) -> None:
    """Registers, table and configuration space while completions and requests are throttled."""
    await scene.enumerate()
    for pace in (Pace.THROTTLED, Pace.WILD):
        await scene.host.pace(pace)
        await registers.read_whole_bar(scene)
        await registers.walk_feature_bits(scene)
        await msix_table.fill_table(scene)
        await config_space.read_everything(scene)
        await bursts.read_bar1(scene)
        await bursts.write_bar1(scene, rounds=20)
    await scene.host.pace(Pace.FAST)


async def crowd_requests(scene: Scene, rounds: int = 40) -> None:
    """Many requests of all kinds in flight at once, posted ones between them; each gets its own answer."""
    await scene.enumerate()
    for number in range(rounds):
        if number % 10 == 5:
            await scene.host.pace(Pace.THROTTLED if number % 20 == 5 else Pace.FAST)
        await scene.send_all([_any_request(scene) for _ in range(scene.rng.randint(2, 24))])
    await scene.host.pace(Pace.FAST)
    await registers.reset(scene)


def _any_request(scene: Scene) -> Tlp:
    rng = scene.rng
    kind = rng.randrange(8)
    if kind == 0:
        return scene.request(Space.CONFIG, rng.choice(WRITABLE_CONFIG), 1, rng.getrandbits(32))
    if kind == 1:
        return scene.request(Space.IO, rng.choice((0x04, 0x0C)), rng.randrange(16), rng.getrandbits(32))
    if kind in (2, 3):
        return scene.request(Space.MEMORY, 4 * rng.randrange(16), ALL_BYTES, rng.getrandbits(32))
    if kind == 4:
        return memory_read(scene.base_of(Space.MEMORY) + 4 * rng.randrange(64), 4 * rng.randint(1, 32))
    if kind == 5:
        return Tlp(TlpType.IO_READ, address=0x10, first_be=ALL_BYTES, length=1)
    return scene.request(rng.choice(list(Space)), 4 * rng.randrange(10), rng.randrange(16), None)
