"""What a Linux guest does: the script that is its whole user space, and the lines the host follows it by.

Each step starts with a line `VPCI step <name> <seconds since boot>`; `VPCI <name> <value>` reports something
the host checks; `VPCI failed …` and `VPCI done` end it.
"""

from __future__ import annotations

from dataclasses import dataclass

MARK = "VPCI"
PAYLOAD = "payload.bin"
SUMS = "files.sha256"
COPY = "copied"

_SCRIPT = f"""#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
tell() {{ echo "{MARK} $*"; }}
step() {{ read up rest < /proc/uptime; tell step $1 $up; }}
fail() {{ tell failed "$*"; dmesg | tail -n 12; poweroff -f; sleep 60; }}
sum() {{ sha256sum "$1" > /tmp/sum || fail "$1 cannot be read"; read value rest < /tmp/sum; echo $value; }}
forget() {{ sync; echo 3 > /proc/sys/vm/drop_caches; }}
load() {{
  insmod /lib/virtio_blk.ko || fail "the driver cannot be loaded"
  n=0
  while [ ! -b /dev/vda2 ]; do
    n=$((n + 1)); [ $n -lt 200 ] || fail "no disk appeared after the driver was loaded"
    sleep 0.05
  done
}}

step bind
dmesg -c > /tmp/boot  # what the kernel says before it meets the function is not the function's fault
for module in /lib/first/*.ko; do
  [ ! -e $module ] || insmod $module || fail "the kernel's $module cannot be loaded"
done
load
device=$(readlink -f /sys/block/vda/device)
tell driver $(readlink -f $device/driver | sed 's|.*/||')
tell function $(cat $device/../vendor):$(cat $device/../device) $(cat $device/../class)
tell sectors $(cat /sys/block/vda/size)
[ -d $device/../msi_irqs ] && tell vectors $(ls $device/../msi_irqs | grep -c .)

step isr
# Nothing is going on: the first read takes what the requests so far have left, the second must find nothing.
isr() {{ dd if=$device/../resource0 bs=1 skip=19 count=1 2> /tmp/dd | hexdump -e '1/1 "%d"'; }}
tell isr_left $(isr)
tell isr $(isr)

step read
tell disk_sha256 $(sum /dev/vda)

step write
dd if=/{PAYLOAD} of=/dev/vda2 bs=64k conv=fsync 2> /tmp/dd || fail "the raw area cannot be written"
forget
dd if=/dev/vda2 of=/tmp/back bs=64k count=@blocks@ 2> /tmp/dd || fail "the raw area cannot be read back"
cmp /{PAYLOAD} /tmp/back || fail "the raw area does not hold what was written"

step direct
# Four at once past the cache, so that the queue is deep and the requests are small.
for part in 0 1 2 3; do
  dd if=/dev/vda2 of=/tmp/part$part bs=4k count=@quarter@ skip=$((part * @quarter@)) iflag=direct 2> /tmp/dd &
done
wait
cat /tmp/part? > /tmp/back
cmp /{PAYLOAD} /tmp/back || fail "reading it in parallel past the cache gives something else"

step mount
mount -t ext4 /dev/vda1 /mnt || fail "the file system cannot be mounted"
(cd /mnt && sha256sum -c -s /{SUMS}) || fail "a file does not hold what it should"

step copy
mkdir /mnt/{COPY} || fail "no folder can be made"
cp /mnt/*.bin /mnt/{COPY} || fail "the files cannot be copied"
forget
(cd /mnt/{COPY} && sha256sum -c -s /{SUMS}) || fail "a copy does not hold what it should"

step unmount
umount /mnt || fail "the file system cannot be unmounted"

step reload
for again in 1 2; do
  rmmod virtio_blk || fail "the driver cannot be unloaded"
  [ ! -e /dev/vda ] || fail "the disk is still there without its driver"
  load
done
dd if=/dev/vda2 of=/tmp/back bs=64k count=@blocks@ 2> /tmp/dd || fail "the reloaded driver cannot read"
cmp /{PAYLOAD} /tmp/back || fail "the raw area has changed by unloading the driver"
tell interrupts $(grep virtio /proc/interrupts | sed 's/  */ /g' | sed 's/^ //')

step off
bad="[Vv]irtio.*([Ee]rror|[Ww]arn|[Ff]ail)|I/O error|BUG:|Call Trace|nobody cared"
dmesg | grep -E "$bad" && fail "the kernel complains"
tell done
poweroff -f
"""


def linux_script(payload_size: int) -> str:
    """The script, for a payload of so many bytes (a multiple of 64 KiB)."""
    script = _SCRIPT.replace("@blocks@", str(payload_size // 65536))
    return script.replace("@quarter@", str(payload_size // 4 // 4096))


@dataclass(slots=True, frozen=True)
class GuestLog:
    """What a guest's console says: steps with their start in seconds since boot, reports by name."""

    steps: dict[str, float]
    reports: dict[str, str]
    done: bool
    failure: str
    panic: str


def read_log(text: str) -> GuestLog:
    """Read a console log, also an unfinished one."""
    steps: dict[str, float] = {}
    reports: dict[str, str] = {}
    panic = ""
    for line in text.splitlines():
        if "Kernel panic" in line:
            panic = line[line.index("Kernel panic") :].strip()
        _, mark, said = line.partition(f"{MARK} ")
        if not mark:
            continue
        name, _, value = said.strip().partition(" ")
        if name == "step" and len(value.split()) == 2:
            step, at = value.split()
            steps[step] = float(at)
        else:
            reports[name] = value
    return GuestLog(steps, reports, "done" in reports, reports.get("failed", ""), panic)
