"""Markets and venues without a network: a seeded synthetic market, replay of recorded bars, two matching cores.

*Why* both feeds are plain iterators: market time is theirs, so a backtest pulls as fast as it can and the live loop
paces the same iterator by a clock. Equal seed or equal files, equal run.

``exchange.py`` is the venue of a run that only wants its orders filled. ``venue.py`` behaves like Alpaca: accounts,
every order type, sessions, and its refusals with their status, code and text. Its parts: ``venue_orders.py`` the words,
``venue_rules.py`` what an order may not be, ``allowance.py`` what an account does not allow, ``intake.py`` from request
to order, ``book.py`` what an order gets from quotes, trades and bars, ``execution.py`` and ``accounts.py`` the books.
*Why* it has no clock and no chance: a test that failed once fails again, and the server around it adds only bytes.
"""
