"""The QEMU devices that are driven live: five types and their variants, as options of QEMU's command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tb.oracle.trace import Row

BAR0 = 0xC000
BAR1 = 0xFE000000
SLOT = 4
VERSION = "7.2"  # what the profile describes

Role = Literal["block", "net", "console", "balloon", "entropy"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One device with its host side.

    ``role`` picks the traffic; ``host`` and ``ports`` are options before and after ``-device``, in which
    {disk}, {near}, {far} and {socket} stand for what the process makes.
    """

    name: str
    role: Role
    device: str
    host: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()

    @property
    def arguments(self) -> str:
        """The whole ``-device`` argument."""
        return f"{self.device},disable-modern=on,disable-legacy=off,addr={SLOT:02x}.0"

    def header(self) -> Row:
        """A trace's header for this device, without what belongs to one trace."""
        return {
            "device": self.name,
            "qemu": VERSION,
            "slot": SLOT,
            "device_args": self.arguments,
            "bar0": BAR0,
            "bar1": BAR1,
            "extra": "",
            "post_args": list(self.ports),
        }


_DISK = ("-drive", "if=none,id=d0,file={disk},format=raw,cache=writeback")
_READ_ONLY_DISK = ("-drive", "if=none,id=d0,file={disk},format=raw,readonly=on")
_WIRE = ("-netdev", "socket,id=n0,udp=127.0.0.1:{near},localaddr=127.0.0.1:{far}")
_TERMINAL = ("-chardev", "socket,id=c0,path={socket},server=on,wait=off")
_ZEROS = ("-object", "rng-random,id=r0,filename=/dev/zero")


def _port(driver: str, options: str) -> tuple[str, ...]:
    return ("-device", f"{driver},bus=vs0.0,chardev=c0,{options}")


_BLOCK = "virtio-blk-pci,drive=d0,serial=ORACLE0123"
_NET = "virtio-net-pci,netdev=n0,mac=52:54:00:12:34:56,romfile="
_SERIAL = "virtio-serial-pci,id=vs0,max_ports=4,vectors=4"

KINDS: tuple[Kind, ...] = (
    Kind("net", "net", f"{_NET},vectors=4", _WIRE),
    Kind("netplain", "net", f"{_NET},vectors=0,event_idx=off,indirect_desc=off", _WIRE),
    Kind("netbare", "net", f"{_NET},vectors=3,mrg_rxbuf=off,status=off,rx_queue_size=512", _WIRE),
    Kind("blk", "block", f"{_BLOCK},num-queues=1,vectors=3", _DISK),
    Kind("blk4q", "block", f"{_BLOCK},num-queues=4,vectors=6", _DISK),
    Kind("blkro", "block", f"{_BLOCK},num-queues=1,vectors=3", _READ_ONLY_DISK),
    Kind("blksmall", "block", f"{_BLOCK},num-queues=2,queue-size=16,vectors=0", _DISK),
    Kind("blkbare", "block", f"{_BLOCK},vectors=1,config-wce=off,discard=off,write-zeroes=off", _DISK),
    Kind("serial", "console", _SERIAL, _TERMINAL, _port("virtserialport", "name=org.test.p1,nr=1")),
    Kind("console", "console", _SERIAL, _TERMINAL, _port("virtconsole", "nr=0")),
    Kind("balloon", "balloon", "virtio-balloon-pci"),
    Kind("rng", "entropy", "virtio-rng-pci,rng=r0,vectors=2", _ZEROS),
)
