"""Markets and a venue without a network: a seeded synthetic market, replay of recorded bars, a matching core.

*Why* both feeds are plain iterators: market time is theirs, so a backtest pulls as fast as it can and the live loop
paces the same iterator by a clock. Equal seed or equal files, equal run.
"""
