"""A transaction layer packet as data, and the words its fields are written in.

Names follow the PCI Express base specification. Nothing here knows the bits of a header: see
`tb.pcie.header`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class TlpType(IntEnum):
    """Format and type of a packet.

    The value is header byte 0 with the format of a 3-DW address (messages: 4 DW).
    """

    MEMORY_READ = 0x00
    MEMORY_READ_LOCKED = 0x01
    IO_READ = 0x02
    CONFIG_READ = 0x04
    CONFIG_READ_1 = 0x05
    COMPLETION = 0x0A
    COMPLETION_LOCKED = 0x0B
    MESSAGE = 0x30
    MEMORY_WRITE = 0x40
    IO_WRITE = 0x42
    CONFIG_WRITE = 0x44
    CONFIG_WRITE_1 = 0x45
    COMPLETION_DATA = 0x4A
    COMPLETION_DATA_LOCKED = 0x4B
    FETCH_ADD = 0x4C
    SWAP = 0x4D
    COMPARE_AND_SWAP = 0x4E
    MESSAGE_DATA = 0x70


MEMORY_TYPES = frozenset({
    TlpType.MEMORY_READ, TlpType.MEMORY_READ_LOCKED, TlpType.MEMORY_WRITE,
    TlpType.FETCH_ADD, TlpType.SWAP, TlpType.COMPARE_AND_SWAP,
})  # fmt: skip
IO_TYPES = frozenset({TlpType.IO_READ, TlpType.IO_WRITE})
CONFIG_TYPES = frozenset({
    TlpType.CONFIG_READ, TlpType.CONFIG_WRITE, TlpType.CONFIG_READ_1, TlpType.CONFIG_WRITE_1,
})  # fmt: skip
COMPLETION_TYPES = frozenset({
    TlpType.COMPLETION, TlpType.COMPLETION_DATA, TlpType.COMPLETION_LOCKED, TlpType.COMPLETION_DATA_LOCKED,
})  # fmt: skip
MESSAGE_TYPES = frozenset({TlpType.MESSAGE, TlpType.MESSAGE_DATA})
POSTED_TYPES = MESSAGE_TYPES | {TlpType.MEMORY_WRITE}
PAYLOAD_TYPES = frozenset(kind for kind in TlpType if kind & 0x40)

SHORT_NAMES = {
    TlpType.MEMORY_READ: "MRd", TlpType.MEMORY_READ_LOCKED: "MRdLk", TlpType.MEMORY_WRITE: "MWr",
    TlpType.IO_READ: "IORd", TlpType.IO_WRITE: "IOWr",
    TlpType.CONFIG_READ: "CfgRd0", TlpType.CONFIG_WRITE: "CfgWr0",
    TlpType.CONFIG_READ_1: "CfgRd1", TlpType.CONFIG_WRITE_1: "CfgWr1",
    TlpType.COMPLETION: "Cpl", TlpType.COMPLETION_DATA: "CplD",
    TlpType.COMPLETION_LOCKED: "CplLk", TlpType.COMPLETION_DATA_LOCKED: "CplDLk",
    TlpType.MESSAGE: "Msg", TlpType.MESSAGE_DATA: "MsgD",
    TlpType.FETCH_ADD: "FetchAdd", TlpType.SWAP: "Swap", TlpType.COMPARE_AND_SWAP: "CAS",
}  # fmt: skip


class CompletionStatus(IntEnum):
    """Completion status field."""

    SUCCESS = 0
    UNSUPPORTED_REQUEST = 1
    RETRY = 2
    ABORT = 4


class MessageCode(IntEnum):
    """Message codes a function may send or meet."""

    UNLOCK = 0x00
    ASSERT_INTA = 0x20
    ASSERT_INTB = 0x21
    ASSERT_INTC = 0x22
    ASSERT_INTD = 0x23
    DEASSERT_INTA = 0x24
    DEASSERT_INTB = 0x25
    DEASSERT_INTC = 0x26
    DEASSERT_INTD = 0x27
    PM_ACTIVE_STATE_NAK = 0x14
    PM_PME = 0x18
    PME_TURN_OFF = 0x19
    PME_TO_ACK = 0x1B
    ERR_COR = 0x30
    ERR_NONFATAL = 0x31
    ERR_FATAL = 0x33
    SET_SLOT_POWER_LIMIT = 0x50
    VENDOR_TYPE_0 = 0x7E
    VENDOR_TYPE_1 = 0x7F


INTX_CODES = frozenset(range(MessageCode.ASSERT_INTA, MessageCode.DEASSERT_INTD + 1))


class MessageRouting(IntEnum):
    """Where a message goes."""

    ROOT_COMPLEX = 0
    ADDRESS = 1
    ID = 2
    BROADCAST = 3
    LOCAL = 4
    GATHERED = 5


class Channel(Enum):
    """The four packet channels of the function's boundary, seen from the function."""

    RX_REQ = "rx_req"
    TX_CPL = "tx_cpl"
    TX_REQ = "tx_req"
    RX_CPL = "rx_cpl"


class TlpError(ValueError):
    """A packet that breaks the PCI Express format.

    The text is a sentence. `tlp` is what could be read of it.
    """

    def __init__(self, sentence: str, tlp: Tlp | None = None) -> None:
        super().__init__(sentence)
        self.tlp = tlp


@dataclass(slots=True)
class Tlp:
    """One packet. Fields that its type does not have stay 0.

    `address` is a byte address, DW aligned (configuration: the register's offset; messages: header bytes 8
    to 15). `length` counts DWs (1..1024; 0 where there is none). `data` is the payload, `4 * length` bytes,
    lowest address first, bytes that are not enabled included. `lower_address` is a byte address modulo 128;
    `byte_count` runs from 1 to 4096. `wide_address` asks `encode` for a 4-DW header where 3 DW would do,
    which is itself an error.
    """

    type: TlpType
    requester_id: int = 0
    tag: int = 0
    address: int = 0
    target_id: int = 0
    first_be: int = 0
    last_be: int = 0
    length: int = 0
    data: bytes = b""
    completer_id: int = 0
    status: int = CompletionStatus.SUCCESS
    byte_count: int = 0
    lower_address: int = 0
    message_code: int = 0
    message_routing: int = 0
    traffic_class: int = 0
    attributes: int = 0
    poisoned: bool = False
    digest: bool = False
    wide_address: bool = False

    @property
    def posted(self) -> bool:
        """True when no completion answers it."""
        return self.type in POSTED_TYPES

    @property
    def is_completion(self) -> bool:
        """True for Cpl, CplD and their locked forms."""
        return self.type in COMPLETION_TYPES

    def __str__(self) -> str:
        parts = [SHORT_NAMES[self.type], *_details(self)]
        if self.poisoned:
            parts.append("poisoned")
        return " ".join(parts)


def _details(tlp: Tlp) -> list[str]:
    """The fields worth reading in a report, by kind of packet."""
    kind = tlp.type
    payload = [f"data {_hex(tlp.data)}"] if tlp.data else []
    if kind in COMPLETION_TYPES:
        status = (
            CompletionStatus(tlp.status).name
            if tlp.status in set(CompletionStatus)
            else f"status {tlp.status}"
        )
        counts = f"bytes {tlp.byte_count} lower 0x{tlp.lower_address:02x}"
        return [status, f"for {_id(tlp.requester_id)} tag {tlp.tag}", counts, *payload]
    if kind in MESSAGE_TYPES:
        codes = {int(code): code.name for code in MessageCode}
        return [codes.get(tlp.message_code, f"code 0x{tlp.message_code:02x}"), *payload]
    where = f"{_id(tlp.target_id)} 0x{tlp.address:03x}" if kind in CONFIG_TYPES else f"0x{tlp.address:08x}"
    return [where, f"dw {tlp.length} be {tlp.first_be:04b}/{tlp.last_be:04b} tag {tlp.tag}", *payload]


def _id(value: int) -> str:
    """A requester id as bus:device.function."""
    return f"{value >> 8:02x}:{value >> 3 & 31:02x}.{value & 7}"


def _hex(data: bytes, limit: int = 16) -> str:
    """The first bytes of a payload in address order."""
    return data[:limit].hex(" ", 4) + ("…" if len(data) > limit else "")
