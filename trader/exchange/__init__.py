"""The local exchange: a shell that speaks Alpaca's protocols, so that no client can tell the difference.

One process, one asyncio loop: the matching core is ``access/sim``'s venue, the messages are ``access/alpaca``'s, and
all state is touched from the loop's thread, synchronously, between two awaits. What is measured by the market's clock
(rate limits, sessions, expiry) takes ``now()``, which may run faster than the world's.

``local.py`` puts it together. The market: ``archive`` is its truth at any time, ``market`` lets it run, ``splits`` and
``tampering`` stand between. The streams: ``sockets`` carry, ``lines`` keep sessions alive or not, ``data_hub`` and
``trade_hub`` say what goes to whom. Requests: ``rest_…`` for trading, ``rest_data`` and ``data_…`` for history.
``faults…`` go wrong on purpose, and ``control`` is where a test asks for them and for the truth.

*Why* one shared frame for equal subscriptions and no task per client: a server that is to be trusted as a measure must
not be the slow one of the two.

May import ``access``, ``config``, ``model``, ``errors`` and ``logs``; not ``engine``, ``live`` or ``cli``.
"""
