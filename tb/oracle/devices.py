"""The device that a trace's header describes, built from the options it was started with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tb.models.devices.balloon import BalloonDevice
from tb.models.devices.base import DeviceModel
from tb.models.devices.block import BlockDevice
from tb.models.devices.console import F_MULTIPORT, ConsoleDevice, Port
from tb.models.devices.entropy import EntropyDevice
from tb.models.devices.net import NetDevice
from tb.models.profile import Profile
from tb.oracle.trace import Row, TraceError

DISK_SECTORS = 2048
MOST_QUEUES = 1024
MOST_VECTORS = 128
MOST_PORTS = 31
MAC_BYTES = 6

Options = dict[str, str]
_ON, _OFF = ("on", "true", "yes"), ("off", "false", "no")


@dataclass(frozen=True, slots=True)
class _Driver:
    """How one of QEMU's drivers is built.

    ``features``: the feature bit that each option offers; ``length``: the profile's field of the
    configuration's length, how far it reaches with each option that QEMU counts there (the farthest one
    offered wins), and how far without any; ``others``: further options that are understood. What is named
    neither here nor in ``_MEANINGLESS`` is not modelled.
    """

    build: Callable[[Profile, Options, str], DeviceModel]
    features: dict[str, int]
    length: tuple[str, dict[str, int], int]
    others: frozenset[str]


# Of options that every driver has, those that a guest cannot tell.
_MEANINGLESS = frozenset(
    (
        *("id", "bus", "addr", "vectors", "romfile", "rombar", "disable-modern", "disable-legacy"),
        *("drive", "netdev", "rng", "tx", "share-rw", "werror", "rerror", "bootindex"),
    )
)
_RING_BITS = {"notify_on_empty": 24, "any_layout": 27, "indirect_desc": 28, "event_idx": 29}


def _number(options: Options, name: str, default: int, most: int) -> int:
    """An option that is a number from 0 to ``most``. Raises ``TraceError``."""
    text = options.get(name, str(default))
    if not text.isdecimal() or int(text) > most:
        raise TraceError(
            1, f"the header's device_args: {name} must be a number from 0 to {most}, not {text!r}"
        )
    return int(text)


def _vectors(options: Options, default: int) -> int:
    return _number(options, "vectors", default, MOST_VECTORS)


def _block(profile: Profile, options: Options, kind: str) -> DeviceModel:
    queues = _number(options, "num-queues", 1, MOST_QUEUES)
    if options.get("seg-max-adjust") in _OFF:
        profile = replace(profile, block_seg_max=126)
    return BlockDevice(
        profile,
        capacity=DISK_SECTORS,
        serial=options.get("serial", "").encode(),
        read_only=kind.endswith("ro"),
        queues=queues,
        queue_size=_number(options, "queue-size", 256, MOST_QUEUES),
        vectors=_vectors(options, queues + 1),
    )


def _net(profile: Profile, options: Options, kind: str) -> DeviceModel:
    text = options.get("mac", "52:54:00:12:34:56")
    try:
        mac = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        mac = b""
    if len(mac) != MAC_BYTES:
        raise TraceError(1, f"the header's device_args: mac must be six bytes, not {text!r}")
    return NetDevice(
        profile,
        mac=mac,
        receive_queue_size=_number(options, "rx_queue_size", 256, MOST_QUEUES),
        vectors=_vectors(options, 4),
    )


def _console(profile: Profile, options: Options, kind: str) -> DeviceModel:
    ports = _number(options, "max_ports", MOST_PORTS, MOST_PORTS)
    device = ConsoleDevice(profile, max_ports=ports, vectors=_vectors(options, 2))
    if ports == 1:
        device.host_features &= ~(1 << F_MULTIPORT)
    return device


def _balloon(profile: Profile, options: Options, kind: str) -> DeviceModel:
    return BalloonDevice(profile, vectors=_vectors(options, 0))


def _entropy(profile: Profile, options: Options, kind: str) -> DeviceModel:
    return EntropyDevice(profile, vectors=_vectors(options, 2))


_DRIVERS = {
    "virtio-blk-pci": _Driver(
        _block,
        {"config-wce": 11, "discard": 13, "write-zeroes": 14},
        ("block_config_length", {"write-zeroes": 57, "discard": 48}, 36),
        frozenset(("num-queues", "queue-size", "serial", "seg-max-adjust")),
    ),
    "virtio-net-pci": _Driver(
        _net,
        {
            "mrg_rxbuf": 15,
            "status": 16,
            "ctrl_vq": 17,
            "ctrl_rx": 18,
            "ctrl_vlan": 19,
            "ctrl_rx_extra": 20,
            "guest_announce": 21,
            "ctrl_mac_addr": 23,
        },
        ("net_config_length", {"status": 8}, 6),
        frozenset(("mac", "rx_queue_size")),
    ),
    "virtio-serial-pci": _Driver(
        _console,
        {"emergency-write": 2},
        ("console_config_length", {"emergency-write": 12}, 8),
        frozenset(("max_ports",)),
    ),
    "virtio-balloon-pci": _Driver(
        _balloon,
        {"deflate-on-oom": 2, "page-poison": 4},
        ("balloon_config_length", {"page-poison": 16}, 8),
        frozenset(),
    ),
    "virtio-rng-pci": _Driver(_entropy, {}, ("", {}, 0), frozenset()),
}


def _options(text: str) -> tuple[str, Options]:
    """Driver name and options of a ``-device`` argument; the last of a repeated option counts."""
    driver, *rest = text.split(",")
    return driver, dict(part.partition("=")[::2] for part in rest if part)


def _switched(bits: int, names: dict[str, int], options: Options) -> int:
    """``bits`` with those set or cleared that ``options`` switch on or off by name."""
    for name, bit in names.items():
        if options.get(name) in _ON:
            bits |= 1 << bit
        elif options.get(name) in _OFF:
            bits &= ~(1 << bit)
    return bits


def _with_length(profile: Profile, driver: _Driver, options: Options) -> Profile:
    """``profile`` with the configuration as long as ``options`` make it."""
    field, reach, shortest = driver.length
    if not any(name in options for name in reach):
        return profile
    changes: dict[str, Any] = {
        field: max([shortest, *(end for name, end in reach.items() if options.get(name) not in _OFF)])
    }
    return replace(profile, **changes)


def _driver(header: Row) -> tuple[_Driver, Options]:
    name, options = _options(header["device_args"])
    driver = _DRIVERS.get(name)
    if driver is None:
        raise TraceError(1, f"the header's device_args names the device {name!r}, which is not modelled")
    return driver, options


def unmodelled(header: Row) -> list[str]:
    """Options of a trace's device, as NAME=VALUE, that the models know nothing of."""
    driver, options = _driver(header)
    known = _MEANINGLESS | driver.others | _RING_BITS.keys() | driver.features.keys()
    return [f"{name}={value}" for name, value in options.items() if name not in known]


def build_device(profile: Profile, header: Row) -> DeviceModel:
    """The device a trace's header describes. Raises ``TraceError`` for one that is not modelled."""
    driver, options = _driver(header)
    device = driver.build(_with_length(profile, driver, options), options, header["device"])
    device.host_features = _switched(device.host_features, _RING_BITS | driver.features, options)
    if isinstance(device, ConsoleDevice):
        arguments = header.get("post_args", [])
        if not isinstance(arguments, list) or not all(isinstance(each, str) for each in arguments):
            raise TraceError(1, "the header's post_args must be a list of texts")
        _add_ports(device, arguments)
    return device


def _add_ports(device: ConsoleDevice, arguments: list[str]) -> None:
    for argument in arguments:
        driver, options = _options(argument)
        if driver in ("virtserialport", "virtconsole"):
            number = _number(options, "nr", len(device.ports), device.max_ports - 1)
            console = driver == "virtconsole"  # QEMU holds its own end of those open, whoever listens
            device.add_port(Port(number, options.get("name", ""), console, host_connected=console))
