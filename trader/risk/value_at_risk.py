"""Limits on what the account may lose in a day: value at risk, expected shortfall, and named stresses."""

import msgspec


class VarLimits(msgspec.Struct, frozen=True):
    """Limits on the account's tail; the default has none."""
