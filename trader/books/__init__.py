"""Bookkeeping: what every sandbox owns, and what is nobody's, as the fold of events.

``ledger.py`` (the OMS) is changed through one door, ``Ledger.apply(event)``, and by fills only: nothing is booked when
an order is sent. ``book.py`` is its state as plain data, so that a snapshot of it, and a digest, are all of it;
``positions.py`` is the arithmetic of one fill; ``conduct.py`` counts how strategies behave. May import
``trader.model`` only.

Whatever the account has that no strategy was given is in the account's own book: unallocated cash, positions and
executions of other hands. So per symbol and in dollars, sandboxes and that book together are what the broker says.

*Why* cost and not average price is stored: the average is a quotient and rounds; cost, cash and quantity are sums and
products, so the identities below hold to the last digit. Both are asserted for what a fill touches, after every fill,
and for whole books where a day starts and where they were recovered.

    cash         = opening cash + income + sold − bought − fees paid in dollars
    cash + cost  = opening cash + income + realised profit and loss

A fee taken in the received coin is a realised loss of that coin at the fill's price, and the position grows by what
really arrived.
"""
