"""Run many trading strategies on one broker account."""

__version__ = "0.1.0"
