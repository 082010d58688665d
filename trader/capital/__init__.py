"""The central bank: what the desk measures of itself and its markets before it hands out capital.

``dailies.py`` keeps the days of each symbol, ``volatility.py`` forecasts from them how much a price moves in a day.
``estimators.py`` has other ways to measure that, to hold the forecast against; nothing is decided by those. May import
``trader.model`` only.

*Why* one forecast for all: position sizes, limits and the cost of an order are only comparable where they mean the same
day's move. So there is one number per symbol, made here, and told to everybody with how it was made.
"""
