"""What a faulty copy and the simulation that runs it must agree on."""

from __future__ import annotations

# The package of the copy that holds which faults are on, and its file.
PACKAGE_NAME = "planted_faults"
FILE_NAME = "rtl/planted_faults.sv"
# The plusargs that turn faults on, each one.
FAULT_PLUSARGS = ("fault", "second_fault")
# The function of a probing copy that notes a fault, and the file it notes it in.
REACHED = "planted_fault_reached"
REACHED_FILE = "reached.txt"
# The plusargs of an upset: the register's number, the bit, the moment. They are variables of the package too.
UPSET_PLUSARGS = ("upset", "upset_bit", "upset_ns")
