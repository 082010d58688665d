"""The asyncio shell: the loop, the clock, and everything that is said to people while it runs.

``build.py`` makes objects from settings, ``coordinator.py`` owns the feed, the broker and the loop, ``clock.py`` is
market time, ``narrate.py`` names events as log lines, ``lines.py`` words them, ``outputs.py`` says where they go,
``summary.py`` is the block on exit, ``trades.py`` writes fills to a file. Decides nothing: inputs go to the engine, its
commands to the broker, in the order they came.
"""
