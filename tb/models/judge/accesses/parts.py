"""Which registers of a DW read wrong, and what each of them breaks, from what was last done to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tb.models.config_space import STATUS, ConfigSpace
from tb.models.function import FunctionModel
from tb.models.judge.completions import Part
from tb.models.places import REGISTER_RULES, config_register, device_field, register_at
from tb.models.registers import (
    CONFIG_VECTOR,
    GUEST_FEATURES,
    NAMES,
    QUEUE_PFN,
    QUEUE_SELECT,
    QUEUE_SIZE,
    QUEUE_VECTOR,
    WIDTHS,
)
from tb.models.registers import (
    STATUS as DEVICE_STATUS,
)

Parts = Callable[[int, int], list[Part]]
_ALL_BYTES = 0xF
_INTERRUPT_STATUS = 1 << 19
# What a register breaks that reads wrong when a reset was the last to touch it.
_RESET_RULES = {
    GUEST_FEATURES: "VPCI-STAT-06",
    QUEUE_PFN: "VPCI-STAT-06",
    QUEUE_SELECT: "VPCI-REG-22",
    DEVICE_STATUS: "VPCI-STAT-02",
    CONFIG_VECTOR: "VPCI-INT-11",
    QUEUE_VECTOR: "VPCI-INT-11",
}
_SELECTED = frozenset({QUEUE_PFN, QUEUE_SIZE, QUEUE_VECTOR})
_PARTIAL_RULE, _SELECT_RULE = "VPCI-REG-10", "VPCI-REG-21"
_BASE_RULE, _MASK_RULE = "VPCI-REG-03", "VPCI-REG-04"


class RegisterHistory:
    """What was last done to each register of BAR0: it decides what a wrong value breaks."""

    def __init__(self, model: FunctionModel) -> None:
        self._model = model
        self._rules: dict[int, str] = {}
        self.reset()

    def reset(self) -> None:
        """A reset has set every register."""
        self._rules = dict(_RESET_RULES)

    def written(self, dw: int, enables: int) -> None:
        """The guest has written the enabled bytes of a DW."""
        for register, width in WIDTHS.items():
            if not dw <= register < dw + 4:
                continue
            lanes = ((1 << width) - 1) << register - dw
            if enables & lanes == lanes:
                self._rules.pop(register, None)
            elif enables & lanes:
                self._rules[register] = _PARTIAL_RULE
            elif enables:
                self._rules.setdefault(register, REGISTER_RULES[register])

    def rule(self, register: int) -> str:
        """What `register` breaks that reads wrong now."""
        registers = self._model.registers
        if register in _SELECTED and not registers.queue_size(registers.queue_select):
            return _SELECT_RULE
        return self._rules.get(register, REGISTER_RULES[register])


def bar0_parts(history: RegisterHistory, model: FunctionModel, dw: int) -> Parts:
    """The registers of the DW at `dw` of BAR0, as they lie now."""
    return partial(_bar0_parts, history, model, dw, model.registers.config_base)


def _bar0_parts(
    history: RegisterHistory, model: FunctionModel, dw: int, base: int, wrong: int, seen: int
) -> list[Part]:
    found: dict[str, Part] = {}
    misplaced = _misplaced(model, dw, base, wrong, seen)
    for lane in _wrong_lanes(wrong):
        offset = dw + lane
        register = register_at(offset) if offset < base else None
        if register is not None:
            first, width, name, rule = register, WIDTHS[register], NAMES[register], history.rule(register)
        else:
            first, width, name, rule = device_field(offset - base, model.device)
            first += base
        if offset >= base or register in (CONFIG_VECTOR, QUEUE_VECTOR):
            rule = misplaced or rule
        found.setdefault(name, Part(_mask(first - dw, width), name, rule))
    return list(found.values())


def _misplaced(model: FunctionModel, dw: int, base: int, wrong: int, seen: int) -> str:
    """The rule, if what was seen would be right were the device configuration at its other place.

    Zeros alone tell nothing.
    """
    other = 20 if base == 24 else 24
    content = model.device.config_bytes()
    lanes = _wrong_lanes(wrong)
    for lane in lanes:
        place = dw + lane - other
        if not 0 <= place < len(content) or content[place] != seen >> 8 * lane & 0xFF:
            return ""
    if not any(seen >> 8 * lane & 0xFF for lane in lanes):
        return ""
    if base == 24 and model.msix.function_masked:
        return _MASK_RULE
    return _BASE_RULE


def config_parts(config: ConfigSpace, dw: int) -> Parts:
    """The registers of the DW at `dw` of configuration space."""
    return partial(_config_parts, config, dw)


def _config_parts(config: ConfigSpace, dw: int, wrong: int, _seen: int) -> list[Part]:
    found: dict[str, Part] = {}
    if dw + 2 == STATUS and wrong & _INTERRUPT_STATUS:
        found["Interrupt Status"] = Part(_INTERRUPT_STATUS, "Interrupt Status", "PCI-CFG-13")
        wrong &= ~_INTERRUPT_STATUS
    for lane in _wrong_lanes(wrong):
        first, width, name, rule = config_register(dw + lane, config)
        found.setdefault(name, Part(_mask(first - dw, width), name, rule))
    return list(found.values())


def _wrong_lanes(wrong: int) -> list[int]:
    return [lane for lane in range(4) if wrong >> 8 * lane & 0xFF]


def _mask(first: int, width: int) -> int:
    """Bits of the bytes from `first` on (below 0: in the DW before), as far as they lie in the DW."""
    return sum(0xFF << 8 * lane for lane in range(4) if first <= lane < first + width)
