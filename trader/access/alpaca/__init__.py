"""Alpaca's wire: bytes on one side, typed messages and the desk's words on the other. Nothing here opens a connection.

``wire.py`` turns frames of the market-data sockets into the messages of ``wire_data.py`` and back, in MessagePack and
JSON; ``wire_trading.py`` does so for the ``trade_updates`` socket; ``ticks.py`` translates data messages to the desk's
ticks. ``protocol.py`` and ``protocol_trading.py`` are the client's side of one connection each, without a socket and
without a clock: bytes and time go in, events and bytes come out.

The one idea: the local exchange speaks through the same ``wire`` modules, so whatever one side writes the other reads,
and one round-trip test covers both. *Why* not alpaca-py's streams: they cannot change subscriptions while running, drop
the rest of a frame when a handler raises, and lose nanoseconds.

What we do not understand is never lost and never stops the rest: an unknown message is handed on as ``Unknown``, an
unreadable field of an order update is named in ``unread``, only a frame that is no frame raises ``WireError``.

May import ``model`` and ``errors``, never ``engine``.
"""
