"""L4 market access, "send it": the edges that talk to venues. They translate; they decide nothing.

``ports.py`` holds the two doors of the desk; ``sim/`` is the market and the venue that need no network. Only what is
called ``exchange.py`` and ``fills.py`` in there is pure: the simulated venue must be as repeatable as the desk.
"""
