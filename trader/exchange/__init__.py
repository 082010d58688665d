"""The local exchange: a shell that speaks Alpaca's protocols, so that no client can tell the difference.

The way of a price: ``archive`` knows it (``splits`` restates it), ``market`` lets it happen at its time, first to the
venue of ``access/sim``, which fills orders, then as ``data_messages`` through ``tampering`` to ``data_hub``. The way of
an order: ``rest_endpoint`` takes the request, a handler of ``rest_trading`` calls the venue, ``trade_hub`` tells what
the venue did, then the answer leaves. All state is touched from one loop's thread, between two awaits.

Streams: ``sockets`` carry, ``lines`` say who lives and who is cut, ``data_session`` and ``trade_hub`` talk.
Requests: ``rest_endpoint`` is what all share (keys, limit, faults, log); ``rest_orders``, ``rest_positions``,
``rest_account`` and ``rest_market`` trade and show, ``shapes`` write; ``rest_data`` with ``data_queries``,
``data_pages``, ``data_periods`` and ``data_rows`` is history. ``faults…`` go wrong on purpose, as ``fault_script``
reads them; ``control`` takes them and tells the ``truth``. ``local`` puts all of it together.

*Why* sockets are sans-I/O under uvicorn: half-open, mute and slow connections have to be played at will, one port
serves sockets and HTTP, and a frame for equal subscriptions is made once: a measure must not be the slow one.

Time that rules (limits, sessions, expiry, reaping) is the market's, ``now()``, which may run faster than the world's.
Declined: watchlists, options, corporate actions, charts of an account, OAuth, events by SSE, a disk: an exchange ends
with its process. May import ``access``, ``config``, ``model``, ``errors`` and ``logs``.
"""
