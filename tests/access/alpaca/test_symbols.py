"""The two spellings of a crypto pair."""

import pytest

from trader.access.alpaca.symbols import CryptoPairs


def test_known_pairs_go_both_ways() -> None:
    pairs = CryptoPairs(["BTC/USD", "ETH/BTC", "AVAX/USDT"])
    for slashed, compact in (("BTC/USD", "BTCUSD"), ("ETH/BTC", "ETHBTC"), ("AVAX/USDT", "AVAXUSDT")):
        assert pairs.compact(slashed) == compact
        assert pairs.slashed(compact) == slashed


def test_what_is_no_known_pair_stays_as_it_is() -> None:
    pairs = CryptoPairs(["BTC/USD"])
    for symbol in ("SPY", "LUSD", "DOGEUSD", "DOGE/USD", "BRK.B", "BTC/USD"):
        assert pairs.slashed(symbol) == symbol
    assert pairs.compact("BTCUSD") == "BTCUSD"


def test_pairs_that_look_alike_without_the_slash_are_refused() -> None:
    with pytest.raises(ValueError, match="AB/CUSD cannot be told"):
        CryptoPairs(["AB/CUSD", "ABC/USD"])
