"""The desk: joins the pure rooms behind one synchronous door, ``Engine.handle(input) -> Step(events, commands)``.

``engine.py`` takes inputs and keeps the minute's order, ``desk.py`` turns wishes into orders and reports into books;
``openings.py`` shows them to the Director (``portfolio_view.py``), ``traffic.py`` (``crossing.py``, ``conflicts.py``)
sends them. ``restraints.py`` stops strategies, ``account.py`` books what is nobody's, ``sandbox.py`` is one strategy's
world. Prices: ``market.py`` has marks and windows, ``minutes.py`` and ``learning.py`` fill them.
Exposure: ``portfolio.py`` has it as arrays for gate and filters, ``control_room.py`` (``losses.py``, ``loads.py``)
looks at it once a minute and raises the flags that the gate reads.

One minute, on the UTC grid: fills of the minute's opens first, as reports; then stops and targets against each bar's
low and high; then marks move to the closes; then the day's loss; then sandboxes decide in config order, tickers in
listed order; then orders leave. A late bar updates mark and windows and triggers no decision.

Several strategies on one symbol: a sandbox trades for itself, the account has one position. Opposite orders of one step
cross at the mark, exits first, free of fees: both are booked under ``x:<buy>:<sell>``, only what is left is sent, and
of two sides left over the one with an exit goes. An order never meets an opposite one of ours at the venue: an entry
waits, an exit has an entry canceled and waits for an exit. When an order ends, who waited asks again at once, exits
first; at its own next bar at the latest. What would take the account through zero goes in parts, a stock is sold short
in whole shares only. A locked symbol opens nothing and lets out what the account surely has.

*Why* windows belong to the symbol: their content depends on symbol and bar size only, so a thousand sandboxes cost the
memory of their symbols. What a sandbox may do with one, from which bar on, is its own (``Slot.warm_at``).

*Why* floats beside the exact books: every bar asks "is the stop reached, is the day lost?", nearly always clearly not.
Where it is not clear, the exact books decide.
"""
