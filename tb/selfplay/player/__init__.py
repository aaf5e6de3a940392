"""The function: the golden model's answers and effects, told in packets,
with random legal choices of everything open.
"""
