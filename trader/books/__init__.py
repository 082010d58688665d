"""Bookkeeping: what every sandbox owns, as the fold of events.

``ledger.py`` (the OMS) is changed through one door, ``Ledger.apply(event)``, and by fills only: nothing is booked when
an order is sent. ``positions.py`` is the arithmetic of one fill. May import ``trader.model`` only.

*Why* cost and not average price is stored: the average is a quotient and rounds; cost, cash and quantity are sums and
products, so the identities below hold to the last digit and are asserted after every fill.

    cash         = opening cash + sold − bought − fees paid in dollars
    cash + cost  = opening cash + realised profit and loss

A fee taken in the received coin is a realised loss of that coin at the fill's price, and the position grows by what
really arrived.
"""
