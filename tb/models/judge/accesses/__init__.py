"""Judges what the host asks: each access gets the right answer, and does what it must."""
