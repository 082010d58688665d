"""Markets and venues without a network: a seeded synthetic market, replay of recorded bars, one matching core.

*Why* both feeds are plain iterators: market time is theirs, so a backtest pulls as fast as it can and the live loop
paces the same iterator by a clock. Equal seed or equal files, equal run.

``venue.py`` behaves like Alpaca: accounts, every order type and class, sessions, and its refusals with their status,
code and text. Its parts: ``venue_orders.py`` the words, ``venue_rules.py`` what an order may not be, ``allowance.py``
what an account does not allow, ``venue_classes.py`` exits, ``intake.py`` from request to order, ``matching.py`` and
``working.py`` the life of orders, ``book.py`` what an order gets from quotes, trades and bars, ``execution.py``,
``restatement.py`` and ``accounts.py`` the books. ``exchange.py`` is for a run that only wants its orders filled: they
meet the market by the same ``book.py``. *Why* it is not an account of the venue: that would keep sessions, buying power
and books a second time, beside those that the desk's sandboxes have.
*Why* they have no clock and no chance: a test that failed once fails again, and the server around it adds only bytes.
"""
