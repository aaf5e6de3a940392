"""The driver of the requester agent: accesses onto the pins, completions back to their items."""

from __future__ import annotations

from collections import deque

import cocotb
from cocotb.triggers import Event, Timer
from pyuvm import uvm_driver

from tb.agents.requester.config import RequesterConfig
from tb.agents.requester.item import AccessItem
from tb.harness.link import Observation, ResetSeen
from tb.pcie.tlp import Channel, CompletionStatus, Tlp

IMPATIENCE = 50  # by so much less time once a request has gone unanswered


class RequesterDriver(uvm_driver):
    """Keeps many requests outstanding, each under a tag of its own.

    Posted ones are done when they are queued.
    """

    config: RequesterConfig

    def build_phase(self) -> None:
        self._waiting: dict[int, tuple[AccessItem, int]] = {}
        self._tags = deque(range(self.config.max_outstanding))
        self._tag_freed = Event()
        self._busy = Event()
        self._patience_ns = self.config.timeout_ns
        self.answered = 0
        """Requests whose last completion has come."""

    def connect_phase(self) -> None:
        link = self.config.link
        link.receive(Channel.TX_CPL, self._completion)
        link.reset_listeners.append(self._reset)

    async def run_phase(self) -> None:
        cocotb.start_soon(self._watch())
        while True:
            item: AccessItem = await self.seq_item_port.get_next_item()
            if not item.request.posted:
                await self._take_tag(item)
            elif not item.keep_ids:
                item.request.requester_id = self.config.requester_id
            self.config.link.send_request(item.request)
            if item.request.posted:
                item.completed.set()
            self.seq_item_port.item_done()

    @property
    def outstanding(self) -> int:
        """Requests that wait for a completion."""
        return len(self._waiting)

    @property
    def waiting(self) -> list[str]:
        """Requests that wait for a completion, as clauses."""
        return [
            f"the guest, since {item.sent_ns:,} ns, for {item.request}" for item, _ in self._waiting.values()
        ]

    def forget(self) -> None:
        """After a reset: tags and patience as in the beginning, whatever was asked before."""
        self._give_up(list(self._waiting))
        self._tags = deque(range(self.config.max_outstanding))
        self._patience_ns = self.config.timeout_ns

    async def _take_tag(self, item: AccessItem) -> None:
        """Note the item under its tag: the next free one, or the one the test chose."""
        request = item.request
        if not item.keep_ids:
            while not self._tags:
                self._tag_freed.clear()
                await self._tag_freed.wait()
            request.tag = self._tags.popleft()
            request.requester_id = self.config.requester_id
        item.sent_ns = self.config.link.memory.time_ns
        self._waiting[request.tag] = (item, item.sent_ns + self._patience_ns)
        if item.timeout_ns:
            cocotb.start_soon(self._expire(item))
        if not self._busy.is_set():
            self._busy.set()

    def _completion(self, seen: Observation) -> None:
        """One completion from the pins; one that answers nothing is left to the scoreboard."""
        tlp = seen.tlp
        if tlp is None or tlp.tag not in self._waiting:
            return
        item, _ = self._waiting[tlp.tag]
        item.data += tlp.data
        if _is_last(tlp):
            self.answered += 1
            self._release(tlp.tag)
            _finish(item, tlp)

    def _release(self, tag: int) -> None:
        item, _ = self._waiting.pop(tag)
        if not item.keep_ids:
            self._tags.append(tag)
            self._tag_freed.set()

    def _reset(self, _seen: ResetSeen) -> None:
        """The function forgets what it was asked."""
        self._give_up(list(self._waiting))

    async def _watch(self) -> None:
        """End accesses that nobody answers. Sleeps while nothing is outstanding.

        A function that has left one unanswered has failed: later ones are given less time, so that a dead
        function costs seconds, not minutes.
        """
        while True:
            await self._busy.wait()
            await Timer(self._patience_ns, "ns")
            now = self.config.link.memory.time_ns
            late = [tag for tag, (_, deadline) in self._waiting.items() if deadline <= now]
            if late:
                self._patience_ns = self.config.timeout_ns // IMPATIENCE
            self._give_up(late)
            if not self._waiting:
                self._busy.clear()

    async def _expire(self, item: AccessItem) -> None:
        """End one access that has a time limit of its own."""
        await Timer(item.timeout_ns, "ns")
        tag = item.request.tag
        if tag in self._waiting and self._waiting[tag][0] is item:
            self._give_up([tag])

    def _give_up(self, tags: list[int]) -> None:
        for tag in tags:
            item, _ = self._waiting[tag]
            self._release(tag)
            _finish(item, None)


def _finish(item: AccessItem, last: Tlp | None) -> None:
    item.last = last
    item.completed.set()


def _is_last(tlp: Tlp) -> bool:
    """True when no more completions of the request follow."""
    if tlp.status != CompletionStatus.SUCCESS or not tlp.data:
        return True
    return len(tlp.data) - (tlp.lower_address & 3) >= tlp.byte_count
