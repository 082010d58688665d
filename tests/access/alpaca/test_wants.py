"""Who wants what, and what gives way when it does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.access.alpaca.wants import CRYPTO_CHANNELS, MARKETS, STOCK_CHANNELS, Plan, Wants
from trader.access.alpaca.wire_data import Channel

CHANNELS = {"stock": STOCK_CHANNELS, "crypto": CRYPTO_CHANNELS}
tickers = st.sampled_from(["A", "B", "C", "D", "BTC/USD", "ETH/USD"])


def wants(plan: Plan | None = None, **strategies: list[str]) -> Wants:
    return Wants(strategies, {market: CHANNELS[market] for market in MARKETS}, plan or Plan())


def test_a_symbol_of_two_strategies_is_wanted_once_and_until_the_last_lets_go() -> None:
    both = wants(one=["A", "B"], two=["B", "BTC/USD"])
    assert both.symbols("stock") == ("A", "B")
    assert both.entries("crypto") == dict.fromkeys(CRYPTO_CHANNELS, ("BTC/USD",))
    both.release("one", ["A", "B"])
    assert both.symbols("stock") == ("B",)
    both.release("two", ["B"])
    both.release("nobody", ["B"])
    assert both.symbols("stock") == ()
    both.want("two", ["C", "C"])
    assert both.symbols("stock") == ("C",)


def test_pairs_beyond_the_limit_cost_quotes_then_trades_then_the_rest() -> None:
    symbols = ["A", "B", "C"]
    left = {limit: wants(Plan(limit=limit, counting="pairs"), one=symbols) for limit in (18, 15, 12, 3)}
    assert left[18].channels("stock") == STOCK_CHANNELS
    assert Channel.QUOTES not in left[15].channels("stock")
    assert Channel.TRADES in left[15].channels("stock")
    assert Channel.TRADES not in left[12].channels("stock")
    assert left[3].channels("stock") == (Channel.BARS,)
    assert all(one.symbols("stock") == ("A", "B", "C") for one in left.values())


def test_the_last_strategys_symbols_give_way_and_are_reported_under_it() -> None:
    plan = Plan(limit=2, counting="pairs")
    cut = wants(plan, first=["A", "B"], last=["B", "C", "D"])
    assert cut.symbols("stock") == ("A", "B")
    assert cut.left_out("stock") == {"last": ("C", "D")}
    assert cut.left_out("crypto") == {}


def test_shrinking_ends_when_nothing_is_left() -> None:
    one = wants(one=["A"])
    assert sum(one.shrink("stock") for _ in range(10)) == 4
    assert one.entries("stock") == {Channel.BARS: ()}


@pytest.mark.parametrize("counting", ["pairs", "symbols"])
@given(strategies=st.lists(st.lists(tickers, max_size=4), max_size=4), limit=st.integers(1, 30))
def test_what_is_subscribed_always_fits_and_with_what_is_left_out_is_all(
    counting: str, strategies: list[list[str]], limit: int
) -> None:
    plan = Plan(limit=limit, counting="pairs" if counting == "pairs" else "symbols")
    one = wants(plan, **{str(number): symbols for number, symbols in enumerate(strategies)})
    for market in MARKETS:
        fits, out = set(one.symbols(market)), {symbol for left in one.left_out(market).values() for symbol in left}
        count = len(fits) * (len(one.channels(market)) if counting == "pairs" else 1)
        assert count <= limit
        assert not fits & out
        assert fits | out == {s for symbols in strategies for s in symbols if ("/" in s) == (market == "crypto")}
