"""What a real guest is made of: archive, partition table, boot sector, script, mirror, register names."""

from __future__ import annotations

import shutil
import stat
import struct
import subprocess
from pathlib import Path

import pytest

from tb.guest_vm import apt
from tb.guest_vm.boot_disk import BootDisk, BootPlan, make_boot_disk
from tb.guest_vm.disk import DiskPlan, partition_table
from tb.guest_vm.errors import MirrorError
from tb.guest_vm.file_disk import FileDisk
from tb.guest_vm.initramfs import Entry, pack
from tb.guest_vm.linux_script import linux_script, read_log
from tb.guest_vm.register_names import register_name
from tb.guest_vm.uefi_guest import uefi_script
from tb.vfio_user.protocol import Region


def test_the_archive_has_a_record_per_entry_and_ends_with_a_trailer() -> None:
    archive = pack([Entry("dev", stat.S_IFDIR | 0o755), Entry("init", stat.S_IFREG | 0o755, b"hello")])
    assert len(archive) % 4 == 0
    records = archive.split(b"070701")[1:]
    assert [record[104:].split(b"\0")[0] for record in records] == [b"dev", b"init", b"TRAILER!!!"]
    assert int(records[1][48:56], 16) == 5
    assert b"hello" in records[1]


def test_the_partition_table_names_both_partitions_in_sectors() -> None:
    plan = DiskPlan()
    table = partition_table(plan)
    assert (len(table), table[-2:]) == (512, b"\x55\xaa")
    starts = [struct.unpack_from("<II", table, 446 + 16 * n + 8) for n in range(2)]
    assert starts == [
        (plan.file_system_at // 512, plan.file_system_size // 512),
        (plan.raw_at // 512, plan.raw_size // 512),
    ]


def test_the_firmware_s_script_copies_there_and_back_and_tells_of_each_failure() -> None:
    script = uefi_script(["A.BIN", "B.BIN"]).split("\r\n")
    assert script[1] == "echo VPCI step start 0"
    assert [line for line in script if line.startswith("cp")] == [
        "cp -q A.BIN COPIED\\A.BIN",
        "cp -q COPIED\\A.BIN A.BIN",
        "cp -q B.BIN COPIED\\B.BIN",
        "cp -q COPIED\\B.BIN B.BIN",
    ]
    assert sum("VPCI failed" in line for line in script) == 8
    assert script[-3:] == ["echo VPCI done", "reset -s", ""]


@pytest.fixture
def boot_disk(tmp_path: Path) -> BootDisk:
    if shutil.which("as") is None or shutil.which("ld") is None:
        pytest.skip("no assembler")
    return make_boot_disk(tmp_path / "disk.img", 1, BootPlan(size=512))


def test_the_boot_sector_is_a_bootable_sector(boot_disk: BootDisk) -> None:
    sector = boot_disk.path.read_bytes()[:512]
    assert sector[-2:] == b"\x55\xaa"
    assert sector[:5] == bytes((0xEA, 0x05, 0x7C, 0x00, 0x00))


def test_the_host_knows_what_the_boot_sector_must_leave(boot_disk: BootDisk) -> None:
    assert "it should have written" in boot_disk.complaint()
    plan, image = boot_disk.plan, bytearray(boot_disk.path.read_bytes())
    for index in range(plan.count * 512):
        image[plan.target * 512 + index] = image[plan.first * 512 + index] ^ 0xFF
    boot_disk.path.write_bytes(image)
    assert boot_disk.complaint() == ""
    image[-1] ^= 1
    boot_disk.path.write_bytes(image)
    assert "left alone" in boot_disk.complaint()


def test_the_guests_script_is_a_shell_script() -> None:
    script = linux_script(1 << 19)
    assert "count=8" in script
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_a_console_log_gives_steps_and_reports() -> None:
    log = read_log("[ 1.0] noise\nVPCI step bind 2.50\nVPCI sectors 12288\r\nVPCI step off 3.00\nVPCI done\n")
    assert log.steps == {"bind": 2.5, "off": 3.0}
    assert log.reports["sectors"] == "12288"
    assert (log.done, log.failure, log.panic) == (True, "", "")


def test_a_console_log_gives_failures_and_panics() -> None:
    log = read_log("VPCI failed no disk\n[ 3.1] Kernel panic - not syncing: init died\nVPCI step x")
    assert (log.done, log.failure) == (False, "no disk")
    assert log.panic == "Kernel panic - not syncing: init died"


LISTED = """'http://a.example/debian-security/dists/x/InRelease' a 0
'http://b.example/debian/dists/x/InRelease' b 0
'http://b.example/debian/dists/x/main/binary-amd64/Packages.xz' b 0
'http://c.example/tools/dists/x/InRelease' c 0
"""


def listing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    def answer(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, text, "")

    monkeypatch.setattr(subprocess, "run", answer)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.delenv(apt.MIRROR_VARIABLE, raising=False)


def test_the_mirror_is_the_one_that_the_machines_own_sources_name(monkeypatch: pytest.MonkeyPatch) -> None:
    listing(monkeypatch, LISTED)
    assert apt.machine_mirrors() == [
        "http://b.example/debian",
        "http://c.example/tools",
        "http://a.example/debian-security",
    ]
    monkeypatch.setenv(apt.MIRROR_VARIABLE, "http://d.example/debian")
    assert apt.machine_mirrors() == ["http://d.example/debian"]


def test_a_machine_without_sources_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    listing(monkeypatch, "")
    with pytest.raises(MirrorError, match=apt.MIRROR_VARIABLE):
        apt.machine_mirrors()


def test_a_mirror_that_cannot_be_reached_is_a_sentence(tmp_path: Path) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("no apt")
    with pytest.raises(MirrorError, match="no Debian mirror can be reached"):
        apt.PrivateApt(tmp_path / "apt").update([f"file:{tmp_path}/none"])


@pytest.mark.parametrize(
    ("region", "offset", "msix", "name"),
    [
        (Region.BAR0, 0x10, False, "queue notify"),
        (Region.BAR0, 0x14, False, "device config"),
        (Region.BAR0, 0x14, True, "config vector"),
        (Region.BAR0, 0x1C, True, "device config"),
        (Region.BAR1, 0x18, True, "MSI-X message data"),
        (Region.BAR1, 0x800, True, "MSI-X pending bits"),
        (Region.CONFIG, 0x05, False, "command"),
        (Region.CONFIG, 0xFF, False, "capabilities"),
    ],
)
def test_every_access_has_a_register_name(region: int, offset: int, msix: bool, name: str) -> None:
    assert register_name(region, offset, msix=msix) == name


def test_a_disk_in_a_file_keeps_what_is_written_and_refuses_what_lies_outside(tmp_path: Path) -> None:
    image = tmp_path / "disk"
    image.write_bytes(bytes(4 * 512))
    disk = FileDisk(image)
    assert disk.write(1, b"x" * 1024)
    assert image.read_bytes()[512:1536] == b"x" * 1024
    assert disk.read(2, 1) == b"x" * 512
    assert not disk.write(3, bytes(1024))
    assert disk.read(4, 1) is None
    assert disk.flush()
    assert (disk.requests, disk.bytes) == ({"read": 2, "write": 2, "flush": 1}, {"read": 512, "write": 1024})
    disk.close()
