"""The words: immutable messages and values that every other room speaks. Imports nothing of ours but errors.

Two kinds of number never mix by accident. Market data are floats, as a data API sends them; money and quantities are
Decimal, as a trading API sends them. ``Decimal * float`` raises, which guards the one place they meet: the sizing of an
order in the sandbox. ``ts`` is an int of nanoseconds UTC everywhere; nothing here reads a clock.
"""
