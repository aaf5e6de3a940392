"""The driver of the completer agent: host memory that takes the function's writes and answers its reads."""

from __future__ import annotations

import contextlib
from functools import partial

from pyuvm import uvm_driver

from tb.agents.completer.answers import read_completions, spoilt_completions
from tb.agents.completer.config import CompleterConfig
from tb.agents.completer.item import UNANSWERED, FaultItem, ReadFault
from tb.guest.host_bus import MSI_WINDOW, MemoryPendingError, NoMemoryError
from tb.harness.link import Observation
from tb.pcie.tlp import (
    Channel,
    CompletionStatus,
    Tlp,
    TlpType,
    completion_for,
    enabled_bytes,
    requested_bytes,
)


class CompleterDriver(uvm_driver):
    """Writes take effect in wire order, reads see every write before them. Messages are not memory."""

    config: CompleterConfig

    def build_phase(self) -> None:
        self._faults: list[FaultItem] = []

    def connect_phase(self) -> None:
        self.config.link.receive(Channel.TX_REQ, self._request)

    async def run_phase(self) -> None:
        while True:
            item: FaultItem = await self.seq_item_port.get_next_item()
            self._faults.append(item)
            self.seq_item_port.item_done()

    def forget_faults(self) -> None:
        """Every read from now on is answered rightly."""
        self._faults.clear()

    def _request(self, seen: Observation) -> None:
        tlp = seen.tlp
        if tlp is None:
            return
        if tlp.type is TlpType.MEMORY_WRITE:
            self._write(tlp)
        elif tlp.type is TlpType.MEMORY_READ:
            self._read(tlp)
        elif not tlp.posted and not tlp.is_completion:
            self.config.link.send_completion(completion_for(tlp, status=1))

    def _write(self, tlp: Tlp) -> None:
        """Store the enabled bytes; a poisoned write stores nothing, a message is no memory."""
        if tlp.poisoned or tlp.address in MSI_WINDOW:
            return
        with contextlib.suppress(NoMemoryError):  # no memory there: a posted write is lost
            self._store(tlp)

    def _store(self, tlp: Tlp) -> None:
        address, length = requested_bytes(tlp)
        lead = address - tlp.address
        if tlp.length > 2 or _solid(tlp.first_be, tlp.last_be, tlp.length):
            self.config.memory.write(address, tlp.data[lead : lead + length])
            return
        for at, value in enabled_bytes(tlp):
            self.config.memory.write(at, bytes((value,)))

    def _read(self, tlp: Tlp) -> None:
        item = next((fault for fault in self._faults if fault.takes(tlp)), None)
        if item is None:
            self._answer(tlp)
            return
        if item.fault in UNANSWERED:
            self.config.on_unanswered(tlp.tag, item.fault is ReadFault.TOO_LATE)
        self._send(spoilt_completions(tlp, self.config, item), item.delay)
        self._faults = [fault for fault in self._faults if not fault.spent]

    def _answer(self, tlp: Tlp) -> None:
        """What the memory holds, once it is there; an unsupported request where there is no memory."""
        try:
            completions = read_completions(tlp, self.config)
        except MemoryPendingError as pending:
            pending.callbacks.append(partial(self._answer, tlp))
            return
        except NoMemoryError:
            status = CompletionStatus.UNSUPPORTED_REQUEST
            completions = [completion_for(tlp, status=status, completer_id=self.config.completer_id)]
        self._send(completions, 0)

    def _send(self, completions: list[Tlp], extra_delay: int) -> None:
        """Queue the parts of one answer, each with the clock from which it may go."""
        config = self.config
        start = 0
        if extra_delay or config.delay[1]:
            start = config.link.memory.cycle + config.random.randint(*config.delay) + extra_delay
        for completion in completions:
            config.link.send_completion(completion, start)
            if config.part_delay[1]:
                start = max(start, config.link.memory.cycle) + config.random.randint(*config.part_delay)


def _solid(first_be: int, last_be: int, length: int) -> bool:
    """True when the enabled bytes of one or two DWs are one run."""
    enables = first_be | last_be << 4 if length == 2 else first_be
    if not enables:
        return False
    run = enables // (enables & -enables)
    return run & (run + 1) == 0
