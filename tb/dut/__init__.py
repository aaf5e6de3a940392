"""A function under test described by data: one `dut.toml`, from its sources to what it chooses."""
