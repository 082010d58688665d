"""The local exchange: a shell that speaks Alpaca's protocols, so that no client can tell the difference.

One process, one asyncio loop: the matching core is ``access/sim``'s venue, the messages are ``access/alpaca``'s, and
all state is touched from the loop's thread, synchronously, between two awaits. What is measured by the market's clock
(rate limits, sessions, expiry) takes ``now()``, which may run faster than the world's.

May import ``access``, ``config``, ``model``, ``errors`` and ``logs``; not ``engine``, ``live`` or ``cli``.
"""
