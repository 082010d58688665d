"""The desk: joins the pure rooms behind one synchronous door, ``Engine.handle(input) -> Step(events, commands)``.

``engine.py`` takes inputs and keeps the minute's order, ``desk.py`` turns wishes into orders and reports into books,
``market.py`` holds marks and windows, ``sandbox.py`` one strategy's world, ``answers.py`` is where other people's code
meets the desk, ``summary.py`` says where everything stands. May import every pure room; does no I/O.

One minute, on the UTC grid: fills that the minute's opens made come first, as reports; then stops and targets against
each bar's low and high; then marks move to the closes; then the day's loss is checked; then sandboxes decide in config
order, tickers in listed order. A late bar updates mark and windows and triggers no decision.

*Why* windows belong to the symbol and not to the sandbox: their content depends on the symbol and the bar size only,
so one read-only copy serves every sandbox, and a thousand sandboxes cost the memory of their symbols. What a sandbox
may do with it, from which bar on, is its own (``Slot.warm_at``).

*Why* floats stand beside the exact books: every bar asks "is the stop reached, is the day lost?", and nearly always the
answer is a clear no. The float says that; wherever it is not clear, the exact books decide.
"""
