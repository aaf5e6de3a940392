"""Random accesses that any device takes: legal ones, odd widths and offsets, toggles of everything."""

from __future__ import annotations

from collections.abc import Callable

from tb.models.registers import (
    CONFIG_VECTOR,
    GUEST_FEATURES,
    HOST_FEATURES,
    ISR,
    QUEUE_NOTIFY,
    QUEUE_PFN,
    QUEUE_SELECT,
    QUEUE_VECTOR,
    STATUS,
)
from tb.oracle.live.kinds import BAR0, BAR1
from tb.oracle.live.plan import COMMAND, COMMAND_ALL, MESSAGES, MSIX_CONTROL, MSIX_ENABLE, MSIX_MASK, Plan

_SIZES = (1, 2, 4)
_STATUSES = (0, 1, 3, 3, 3, 4, 7, 7, 7, 11, 15, 0x40, 0x80, 0x87, 0xFF)


def _read_config(plan: Plan) -> None:
    """Mostly aligned; else what does not fit into its DW is not there."""
    size = plan.choose(_SIZES)
    plan.cfg_r(plan.number(0, 255) & -plan.choose((size, size, 1)), size)


def _write_config(plan: Plan) -> None:
    size = plan.choose(_SIZES)
    offset = plan.choose((0, 4, 6, 8, 0xC, 0x2C, 0x34, 0x3C, 0x40, 0x44, 0x48, 0x4C, plan.number(0x4C, 0xFC)))
    if 4 <= offset < 8 and plan.chance(0.5):
        return
    offset &= -plan.choose((size, size, size, 1))
    plan.cfg_w(offset, size, plan.rng.getrandbits(8 * size))
    plan.cfg_r(offset & ~3)


def _move_bars(plan: Plan) -> None:
    plan.cfg_w(0x10, 4, plan.choose((0xFFFFFFFF, BAR0 + 0x100, 0, BAR0)))
    plan.cfg_r(0x10)
    plan.io_r(STATUS, 1)
    if plan.shape.vectors:
        plan.cfg_w(0x14, 4, plan.choose((0xFFFFFFFF, BAR1 + 0x1000, BAR1)))
        plan.cfg_r(0x14)
        plan.mem_r(0)
    plan.enable()


def _write_command(plan: Plan) -> None:
    plan.cfg_w(COMMAND, plan.choose((1, 2, 4)), plan.choose((7, 7, 7, 3, 0x407, 0x403, 5, 6, 0, 0x507)))
    plan.cfg_r(COMMAND)
    if plan.chance(0.7):
        plan.cfg_w(COMMAND, 2, COMMAND_ALL)


def _read_io(plan: Plan) -> None:
    plan.io_r(plan.number(0, 24 + plan.shape.config_length + 4), plan.choose(_SIZES))


def _write_io(plan: Plan) -> None:
    """Anywhere in BAR0, at any width; device configuration apart from what the guest may ruin there."""
    size = plan.choose(_SIZES)
    offset = plan.number(0, 24 + plan.shape.config_length + 4)
    plan.io_w(
        offset, size, plan.choose((0, 1, 3, 0xFFFFFFFF, plan.rng.getrandbits(32))) & (1 << 8 * size) - 1
    )


def _status(plan: Plan) -> None:
    plan.io_w(STATUS, plan.choose((1, 1, 1, 2, 4)), plan.choose(_STATUSES))
    plan.io_r(STATUS, 1)


def _features(plan: Plan) -> None:
    values = (0, 0xFFFFFFFF, 1 << plan.number(0, 31), plan.rng.getrandbits(32), plan.shape.features)
    plan.io_w(GUEST_FEATURES, 4, plan.choose(values))
    plan.io_r(GUEST_FEATURES, 4)


def _select(plan: Plan) -> None:
    queues = len(plan.shape.queues)
    plan.io_w(QUEUE_SELECT, 2, plan.choose((0, plan.number(0, queues), queues, 63, 64, 1023, 1024, 0xFFFF)))
    plan.io_r(QUEUE_SELECT, 2)
    plan.io_r(0xC, 2)


def _pfn(plan: Plan) -> None:
    plan.io_w(QUEUE_PFN, 4, plan.choose((0, 0x20, 0x30, plan.number(0x100, 0x3000), 0xFFFFFF, 0x12345678)))
    plan.io_r(QUEUE_PFN, 4)


def _notify(plan: Plan) -> None:
    plan.io_w(QUEUE_NOTIFY, 2, plan.choose((0, plan.number(0, len(plan.shape.queues)), 0x8000, 0xFFFF)))
    plan.settle()


def _vector(plan: Plan) -> None:
    register = plan.choose((CONFIG_VECTOR, QUEUE_VECTOR))
    plan.io_w(register, 2, plan.some_vector())
    plan.io_r(register, 2)


def _msix_control(plan: Plan) -> None:
    if plan.shape.vectors:
        plan.cfg_w(
            MSIX_CONTROL, 2, plan.choose((0, MSIX_ENABLE, MSIX_ENABLE, MSIX_ENABLE | MSIX_MASK, MSIX_MASK))
        )
        plan.cfg_r(0x40)
        plan.io_r(20, 4)


def _msix_table(plan: Plan) -> None:
    """Mostly sane entries, so that messages that are sent go to memory that is looked at."""
    if not plan.shape.vectors:
        return
    entry = 16 * plan.number(0, plan.shape.vectors)
    place, value = plan.choose(
        (
            (0, MESSAGES + 4 * plan.number(0, 7)),
            (0, _message_or_any(plan) & 0xFFFFFFFF),
            (4, 0),
            (8, plan.rng.getrandbits(32)),
            (12, 0),
            (12, 1),
            (12, plan.choose((2, 0xFFFFFFFE, 0xFFFFFFFF))),
        )
    )
    plan.mem_w(entry + place, 4, value)
    plan.mem_r(entry + place)
    plan.ram_r(MESSAGES, 32)


def _mem_odd(plan: Plan) -> None:
    size = plan.choose((1, 2, 4, 8))
    offset = plan.choose((plan.number(0, 16 * plan.shape.vectors + 16), 0x800, 0x804, 0x808, 0xFF8))
    if plan.chance(0.5):
        plan.mem_r(offset, size)
    else:
        plan.mem_w(offset, size, _message_or_any(plan) & (1 << 8 * size) - 1)


def _message_or_any(plan: Plan) -> int:
    """An address that is looked at, aligned or not, or anything at all."""
    return plan.choose((MESSAGES + plan.number(0, 28), MESSAGES, plan.rng.getrandbits(64)))


def _media(plan: Plan) -> None:
    match plan.kind.role:
        case "block":
            plan.host("block_resize", device="d0", size=plan.choose((1 << 20, 1 << 19, 1 << 21, 1000000, 1)))
        case "net":
            plan.host("set_link", name="n0", up=plan.chance(0.5))
        case "balloon":
            plan.host("balloon", value=plan.choose((32, 48, 64, 16)) << 20)
    plan.io_r(20, 4)


def _look(plan: Plan) -> None:
    plan.look()


def _isr(plan: Plan) -> None:
    plan.io_r(ISR, plan.choose(_SIZES))
    plan.intx()


def _all(plan: Plan) -> None:
    plan.registers()
    plan.io_r(HOST_FEATURES, 4)


# what, and how often
_GENTLE: tuple[tuple[Callable[[Plan], None], int], ...] = (
    (_read_config, 4),
    (_read_io, 6),
    (_look, 4),
    (_isr, 2),
    (_mem_odd, 2),
    (_msix_table, 3),
)
_HARSH: tuple[tuple[Callable[[Plan], None], int], ...] = (
    *_GENTLE,
    (_write_config, 3),
    (_move_bars, 1),
    (_write_command, 3),
    (_write_io, 5),
    (_status, 5),
    (_features, 4),
    (_select, 4),
    (_pfn, 4),
    (_notify, 3),
    (_vector, 5),
    (_msix_control, 4),
    (_media, 2),
    (_all, 1),
)


def _pick(plan: Plan, table: tuple[tuple[Callable[[Plan], None], int], ...]) -> None:
    actions, weights = zip(*table, strict=True)
    action: Callable[[Plan], None] = plan.rng.choices(actions, weights)[0]
    action(plan)


def gentle(plan: Plan) -> None:
    """One random look that leaves a driver's work as it is, but for masks and the ISR."""
    _pick(plan, _GENTLE)


def harsh(plan: Plan) -> None:
    """One random access of any kind."""
    _pick(plan, _HARSH)
