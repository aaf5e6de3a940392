"""What register writes do to the interrupt state of a function."""

from __future__ import annotations

from collections.abc import Callable

from tb.models.judge.interrupts.worlds import World
from tb.models.judge.snapshots import Snapshot
from tb.models.profile import Profile


def write_change(profile: Profile, before: Snapshot, after: Snapshot) -> Callable[[World], tuple[World, ...]]:
    """What a register write does to the interrupt state."""
    if after.generation != before.generation:
        return _reset
    if after.msix_enable and not before.msix_enable:
        return _drop_level
    if before.msix_enable and not after.msix_enable and profile.msix_disable_raises_intx:
        return _raise_level
    moved = _vectors_left(before, after)
    if moved and profile.vector_release_clears_pending:
        return lambda world: _forget_or_keep(world, moved)
    return _unchanged


def _reset(world: World) -> tuple[World, ...]:
    """VPCI-STAT-06, VPCI-STAT-08: ISR, line and pending bits are cleared, causes forgotten."""
    return (world._replace(isr=0, level=0, pending=0, again=0, unfired=(0,) * len(world.unfired)),)


def _drop_level(world: World) -> tuple[World, ...]:
    """PCI-INT-03: enabling MSI-X drops the INTx level."""
    return (world._replace(level=0),)


def _raise_level(world: World) -> tuple[World, ...]:
    """PCI-INT-04, where the profile says so."""
    return (world._replace(level=1 if world.isr else 0),)


def _unchanged(world: World) -> tuple[World, ...]:
    return (world,)


def _vectors_left(before: Snapshot, after: Snapshot) -> int:
    """Bits of the vectors that a vector register no longer names."""
    old = (*before.vectors, before.config_vector)
    new = (*after.vectors, after.config_vector)
    left = {vector for vector, other in zip(old, new, strict=True) if vector != other}
    return sum(1 << vector for vector in left if vector < len(before.entries))


def _forget_or_keep(world: World, vectors: int) -> tuple[World, ...]:
    """VPCI-INT-18: what is pending stays with the old vector or is dropped."""
    if not world.pending & vectors:
        return (world,)
    return world, world._replace(pending=world.pending & ~vectors, again=world.again & ~vectors)
