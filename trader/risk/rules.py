"""Everything the gate holds orders to, beside each sandbox's own limits; made of the settings' ``risk`` section."""

import msgspec


class Rules(msgspec.Struct, frozen=True):
    """The desk's rules; the default has none."""
