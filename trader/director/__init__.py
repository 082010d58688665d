"""Portfolio orchestration: all strategies on one grid of UTC minutes, in one fixed order.

``grid.py`` decides when a minute, and each longer bar built from minutes, is closed. May import ``trader.model`` only.

*Why* a grid: bars of one minute arrive one by one and in any order, and strategies share nothing but that minute. Who
decides first must not depend on whose bar came first, so bars are gathered and the whole minute is closed at once.
"""
