"""Lies in the answers to accesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tb.models.config_space import CAPABILITY_PCIE
from tb.models.function import FunctionModel
from tb.models.registers import CONFIG_VECTOR, ISR, QUEUE_SELECT, QUEUE_VECTOR, STATUS
from tb.pcie.tlp import CompletionStatus, Tlp, TlpType
from tb.selfplay.lies import Liar

_WITH_DATA = TlpType.COMPLETION_DATA
_Alter = Callable[[Tlp], Tlp]


def _is_good(tlp: Tlp) -> bool:
    return tlp.status == CompletionStatus.SUCCESS


_ALTERED: dict[str, tuple[Callable[[Tlp], bool], _Alter]] = {
    "completion_tag": (lambda _: True, lambda tlp: replace(tlp, tag=tlp.tag ^ 0x40)),
    "completion_requester": (lambda _: True, lambda tlp: replace(tlp, requester_id=tlp.requester_id ^ 0x10)),
    "completion_id": (lambda _: True, lambda tlp: replace(tlp, completer_id=tlp.completer_id ^ 0x200)),
    "completion_count": (_is_good, lambda tlp: replace(tlp, byte_count=tlp.byte_count + 4)),
    "completion_lower": (_is_good, lambda tlp: replace(tlp, lower_address=tlp.lower_address ^ 4)),
    "completion_attributes": (lambda _: True, lambda tlp: replace(tlp, attributes=tlp.attributes ^ 2)),
    "completion_class": (lambda _: True, lambda tlp: replace(tlp, traffic_class=tlp.traffic_class ^ 1)),
    "completion_poisoned": (_is_good, lambda tlp: replace(tlp, poisoned=True)),
    "completion_refused": (
        lambda tlp: _is_good(tlp) and tlp.byte_count == 4,
        lambda tlp: replace(tlp, type=TlpType.COMPLETION, status=1, data=b"", length=0),
    ),
    "completion_data": (
        lambda tlp: _is_good(tlp) and tlp.type is TlpType.COMPLETION,
        lambda tlp: replace(tlp, type=_WITH_DATA, data=bytes(4), length=1),
    ),
}


def spoil_completion(liar: Liar, tlp: Tlp) -> Iterator[tuple[Tlp, bool]]:
    """What leaves instead of a completion: packets, and whether they may break a rule of their own."""
    if not liar.name or liar.told:
        yield tlp, False
    elif liar.lies("completion_dropped"):
        return
    elif liar.lies("completion_twice"):
        yield tlp, False
        yield tlp, False
    else:
        altered = _ALTERED.get(liar.name)
        if altered is not None and altered[0](tlp) and liar.lies(liar.name):
            yield altered[1](tlp), True
        else:
            yield tlp, False


def spoil_value(liar: Liar, model: FunctionModel, space: str, offset: int, enables: int, value: int) -> int:
    """What a read gives instead of `value`; a bit of an enabled byte is turned."""
    if not liar.name or liar.told or not enables:
        return value
    lane = (enables & -enables).bit_length() - 1
    for name, where, bits in _TURNED:
        if name != liar.name or bits(value, lane) == value or not where(model, space, offset, enables):
            continue
        if liar.lies(name):
            return bits(value, lane)
    return value


def _turn(value: int, lane: int) -> int:
    return value ^ 0x10 << 8 * lane


def _reads_isr(_model: FunctionModel, space: str, offset: int, enables: int) -> bool:
    return space == "io" and offset == ISR & ~3 and enables == 8


def _is_plain_register(_model: FunctionModel, space: str, offset: int, _enables: int) -> bool:
    return space == "io" and offset < 0x10


def _is_plain_config(model: FunctionModel, space: str, offset: int, _enables: int) -> bool:
    return space == "config" and offset not in (4, model.config.capabilities[CAPABILITY_PCIE] + 8)


def _is_status(_model: FunctionModel, space: str, offset: int, enables: int) -> bool:
    return space == "config" and offset == 4 and enables == 0xF


def _is_table(_model: FunctionModel, space: str, offset: int, enables: int) -> bool:
    return space == "table" and enables == 0xF


def _is_pending(model: FunctionModel, space: str, offset: int, enables: int) -> bool:
    return space == "pending" and not offset and enables == 0xF and not model.msix.pending & 0xFFFFFFFF


_TURNED: tuple[tuple[str, Callable[[FunctionModel, str, int, int], bool], Callable[[int, int], int]], ...] = (
    ("config_value", _is_plain_config, _turn),
    ("register_value", _is_plain_register, _turn),
    ("table_value", _is_table, _turn),
    ("pending_value", _is_pending, lambda value, _lane: value ^ 1),
    ("isr_value", _reads_isr, lambda value, _lane: value ^ 1 << 26),
    ("isr_empty", _reads_isr, lambda value, _lane: value & 0x00FFFFFF),
    ("interrupt_status", _is_status, lambda value, _lane: value ^ 1 << 19),
    ("error_invented", _is_status, lambda value, _lane: value ^ 1 << 30),
)


def write_is_lost(liar: Liar, model: FunctionModel, tlp: Tlp, offset: int | None, value: int) -> bool:
    """Whether a write is dropped: one that would have shown."""
    if not liar.name or liar.told or offset is None:
        return False
    registers = model.registers
    word = value >> 16 if offset & 3 == 0 and tlp.first_be == 0b1100 else value & 0xFFFF
    if tlp.type is TlpType.IO_WRITE:
        place = offset | (tlp.first_be & -tlp.first_be).bit_length() - 1
        lost = {
            QUEUE_SELECT: (
                "select_lost",
                tlp.first_be == 0b1100 and word >= len(registers.pfns) != registers.queue_select,
            ),
            CONFIG_VECTOR: (
                "vector_lost",
                model.msix.enabled and word < model.msix.entries and word != registers.config_vector,
            ),
            QUEUE_VECTOR: (
                "vector_lost",
                model.msix.enabled and word != registers.vectors.get(registers.queue_select, 0xFFFF),
            ),
            STATUS: ("status_lost", value >> 16 & 0xFF == 7 != registers.status),
        }.get(place)
        return lost is not None and lost[1] and liar.lies(lost[0])
    if tlp.type is TlpType.CONFIG_WRITE:
        changed = (value ^ model.config.command) & model.profile.command_writable & 0xFFFF
        return offset == 4 and tlp.first_be == 3 and bool(changed) and liar.lies("command_lost")
    return offset % 16 < 12 and value != model.msix.read_dw(offset) and liar.lies("entry_lost")
