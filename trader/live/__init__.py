"""The asyncio shell: the loop, the clock, and everything that is said to people while it runs.

``build.py`` makes objects from settings, ``coordinator.py`` owns the feed and the loop, ``clock.py`` is market time,
``narrate.py`` and ``lines.py`` turn events into log lines, ``summary.py`` is the block on exit, ``trades.py`` writes
fills to a file. Decides nothing: inputs go to the engine, its commands to the broker, in the order they came.
"""
