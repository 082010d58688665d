"""L4 market access, "send it": the edges that talk to venues. They translate; they decide nothing, save one thing.

``ports.py`` holds the two doors of the desk; ``sim/`` is the market and the venues that need no network. The simulated
venues in there are pure, by an import rule: they must be as repeatable as the desk. What they do decide, all of them
alike, is that an order stays here: ``last_look.py`` is asked immediately before the wire.
"""
