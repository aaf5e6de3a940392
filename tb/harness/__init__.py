"""Between the pins of the function and Python: packet buffers in SystemVerilog and C++, and their Python half."""
