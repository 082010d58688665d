"""Alpaca: one stream of stocks, one of coins, one of order updates, and REST; bytes there, the desk's inputs here.

Data     socket → connection → protocol (wire, wire_data) → market_stream → inlet (ticks, joint) → feed.take → desk
Holes    market_stream → mending → history (REST) → joint, in the inlet's turn; gaps remembers each
Orders   desk → broker → submission → calls (limiter) → rest → Alpaca
Updates  socket → connection → protocol_trading (wire_trading) → tracker (tracked, executions) → broker → desk
Account  restoring → calls → readings → tracker: after a loss, every minute, and where executions are missing

Pure, without socket and clock: the wire and protocol modules, ``ticks``, ``joint``, ``inlet``, ``gaps``, ``wants``,
``subscriptions``, ``tracker`` and its parts, ``readings``, ``limiter``, ``backoff``, ``symbols``. ``connection`` owns a
socket, ``rest`` threads, ``history`` a budget, ``feed`` and ``broker`` everything else's lives.

The local exchange speaks through the same wire modules, so whatever one side writes the other reads. *Why* not
alpaca-py's streams: they cannot change subscriptions while running, drop the rest of a frame when a handler raises, and
lose nanoseconds. Its REST client is used, with its repeating switched off.

What we do not understand is never lost and never stops the rest: an unknown message is handed on as ``Unknown``, an
unreadable field of an order update is named in ``unread``, only a frame that is no frame raises ``WireError``.

May import ``model``, ``errors`` and ``access``, never ``engine``.
"""
