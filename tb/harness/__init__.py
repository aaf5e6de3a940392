"""Between the pins of the function and Python.

Packet buffers in SystemVerilog and C++, and their Python half.
"""
