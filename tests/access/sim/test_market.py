"""The synthetic market: repeatable, plausible, and open when the real one is."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice, pairwise

import numpy as np
import pytest

from tests.contracts.feed import FeedContract, MakeFeed
from trader.access.sim.market import SyntheticMarket
from trader.errors import ConfigError
from trader.model.inputs import Ticks
from trader.model.ticks import Bar, Quote, Trade
from trader.model.time import DAY, HOUR, MINUTE, SECOND, iso, parse_time

Minute = tuple[list[Quote], list[Trade], Bar]

MONDAY = parse_time("2026-01-05T14:30:00")  # the New York opening


def market(*symbols: str, seed: int = 1, start: int = MONDAY, quotes: bool = False) -> SyntheticMarket:
    return SyntheticMarket(symbols or ("SPY", "BTC/USD", "ETH/USD"), seed=seed, start=start, quotes=quotes)


@pytest.fixture(params=[False, True], ids=["bars", "quotes"])
def make_feed(request: pytest.FixtureRequest) -> MakeFeed:
    return lambda: market("SPY", "BTC/USD", "THIN", start=MONDAY + 20 * MINUTE, quotes=request.param)


class TestSyntheticMarket(FeedContract):
    pass


def until(feed: SyntheticMarket, end: int) -> Iterator[Ticks]:
    for ticks in feed.ticks():
        if ticks.ts > end:
            return
        yield ticks


def bars_of(symbol: str, *, start: str, end: str, seed: int = 1) -> list[Bar]:
    feed = market(symbol, start=parse_time(start), seed=seed)
    return [bar for ticks in until(feed, parse_time(end)) for bar in ticks.ticks if isinstance(bar, Bar)]


def log_returns(bars: list[Bar]) -> dict[int, float]:
    return {late.ts: float(np.log(late.close / early.close)) for early, late in pairwise(bars)}


def test_equal_seeds_give_equal_ticks_and_other_seeds_do_not() -> None:
    runs = [list(islice(market(seed=seed, quotes=True).ticks(), 300)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_ticks_can_be_read_anew() -> None:
    feed = market()
    assert list(islice(feed.ticks(), 50)) == list(islice(feed.ticks(), 50))


def test_adding_a_ticker_changes_nobody_elses_prices() -> None:
    alone, among = market("SPY", "ETH/USD"), market("AAPL", "SPY", "BTC/USD", "ETH/USD", "ZZZ")
    mine = [ticks.ticks for ticks in islice(alone.ticks(), 1000)]
    theirs = [
        [tick for tick in ticks.ticks if tick.symbol in {"SPY", "ETH/USD"}] for ticks in islice(among.ticks(), 1000)
    ]
    assert mine == theirs


def test_order_and_repetition_of_symbols_change_nothing() -> None:
    once, twice = market("SPY", "AAPL"), market("AAPL", "SPY", "AAPL")
    assert list(islice(once.ticks(), 50)) == list(islice(twice.ticks(), 50))


def test_history_before_a_later_start_is_what_an_earlier_start_delivered() -> None:
    later = MONDAY + 2 * DAY + 37 * MINUTE
    symbols = ("SPY", "THIN", "BTC/USD", "FOO/USD")
    lived = [list(ticks.ticks) for ticks in until(market(*symbols), later)]
    told = list(market(*symbols, start=later).history(dict.fromkeys(symbols, 10_000)))
    overlap = [batch for batch in told if batch[0].ts > MONDAY]
    assert len(overlap) > 2 * 1440
    assert overlap == lived


def test_history_is_exactly_as_deep_as_asked_for_each_symbol() -> None:
    depth = {"SPY": 50, "BTC/USD": 7, "THIN": 400, "unknown": 5}
    batches = list(market("SPY", "BTC/USD", "THIN", "QQQ").history(depth))
    counts = {symbol: sum(bar.symbol == symbol for batch in batches for bar in batch) for symbol in (*depth, "QQQ")}
    assert counts == {"SPY": 50, "BTC/USD": 7, "THIN": 400, "unknown": 0, "QQQ": 0}


def test_history_reaches_over_a_weekend_to_the_last_session() -> None:
    batches = list(market("SPY").history({"SPY": 50}))
    assert iso(batches[0][0].ts) == "2026-01-02T20:11:00Z"  # the Friday's last 50 minutes
    assert iso(batches[-1][0].ts) == "2026-01-02T21:00:00Z"


def test_history_is_empty_when_none_is_asked_for() -> None:
    assert list(market().history({})) == []


def test_history_of_a_stock_ends_where_the_records_of_sessions_begin() -> None:
    batches = list(market("SPY", start=parse_time("1970-01-06")).history({"SPY": 100_000}))
    assert iso(batches[0][0].ts - MINUTE) == "1970-01-02T14:30:00Z"
    assert len(batches) == 2 * 390


def test_start_inside_a_minute_delivers_that_minutes_bar_live() -> None:
    feed = market("SPY", start=MONDAY + 10 * SECOND, quotes=True)
    first = next(feed.ticks())
    assert MONDAY + 10 * SECOND < first.ts < MONDAY + MINUTE
    assert next(ticks.ts for ticks in feed.ticks() if isinstance(ticks.ticks[0], Bar)) == MONDAY + MINUTE
    assert max(bar.ts for batch in feed.history({"SPY": 5}) for bar in batch) < MONDAY


@pytest.mark.parametrize(
    ("day", "first", "last", "count"),
    [
        ("2026-01-05", "14:31", "21:00", 390),  # winter time
        ("2026-07-06", "13:31", "20:00", 390),  # summer time
        ("2026-11-27", "14:31", "18:00", 210),  # the day after Thanksgiving closes at 13:00
    ],
)
def test_stocks_trade_in_new_yorks_session(day: str, first: str, last: str, count: int) -> None:
    bars = bars_of("SPY", start=day, end=f"{day}T23:59")
    assert [iso(bars[place].ts) for place in (0, -1)] == [f"{day}T{first}:00Z", f"{day}T{last}:00Z"]
    assert len(bars) == count


@pytest.mark.parametrize(
    ("day", "following"),
    [("2026-01-19", "2026-01-20"), ("2026-04-03", "2026-04-06"), ("2026-01-10", "2026-01-12")],
    ids=["Martin Luther King Day", "Good Friday", "a Saturday"],
)
def test_stocks_rest_on_holidays_and_weekends(day: str, following: str) -> None:
    first = next(market("SPY", start=parse_time(day)).ticks())
    assert iso(first.ts)[:10] == following


def test_crypto_trades_every_minute_of_a_weekend() -> None:
    bars = bars_of("BTC/USD", start="2026-01-10", end="2026-01-12")
    assert [late.ts - early.ts for early, late in pairwise(bars)] == [MINUTE] * (2 * 1440 - 1)


@pytest.mark.parametrize(
    ("symbol", "level"),
    [
        *(("SPY", 680), ("QQQ", 620), ("IWM", 250), ("AAPL", 272), ("MSFT", 482), ("TLT", 88), ("XLF", 54)),
        *(("BTC/USD", 89_000), ("ETH/USD", 3050), ("ETH/BTC", 0.034), ("BTC/EUR", 76_000)),
    ],
)
def test_known_symbols_trade_near_their_real_levels(symbol: str, level: float) -> None:
    for seed in range(5):
        price = bars_of(symbol, start="2026-01-05T14:30", end="2026-01-05T14:35", seed=seed)[0].close
        assert level / 1.8 < price < level * 1.8


def test_unknown_symbols_have_plausible_prices_of_their_own() -> None:
    symbols = [f"X{number}" for number in range(60)] + [f"X{number}/USD" for number in range(60)]
    ticks = list(islice(market(*symbols).ticks(), 60))
    prices = {bar.symbol: bar.close for batch in ticks for bar in batch.ticks if isinstance(bar, Bar)}
    assert len(prices) == len(symbols)
    assert all(5 < price < 1000 for price in prices.values())
    assert len(set(prices.values())) > 100


def test_stock_prices_are_whole_cents_and_volumes_whole_shares() -> None:
    for bar in bars_of("AAPL", start="2026-01-05", end="2026-01-07"):
        assert all(price == round(price, 2) for price in (bar.open, bar.high, bar.low, bar.close))
        assert bar.volume == int(bar.volume) > 0


@pytest.mark.parametrize(("symbol", "decimals"), [("BTC/USD", 2), ("ETH/USD", 3), ("DOGE/USD", 7), ("SHIB/USD", 9)])
def test_coin_prices_are_on_a_step_that_fits_their_size(symbol: str, decimals: int) -> None:
    bars = bars_of(symbol, start="2026-01-05", end="2026-01-05T06:00")
    assert all(bar.close == round(bar.close, decimals) for bar in bars)
    assert len({bar.close for bar in bars}) > 20


def test_thin_symbols_miss_minutes_and_busy_ones_do_not() -> None:
    stocks = [f"T{number}" for number in range(40)]
    week = list(until(market("SPY", *stocks), MONDAY + DAY))
    counts = [sum(tick.symbol == symbol for ticks in week for tick in ticks.ticks) for symbol in ("SPY", *stocks)]
    assert counts[0] == 390
    assert 0 < min(counts) < 390
    assert sum(count == 390 for count in counts) > 10
    coin = bars_of("X1/USD", start="2026-01-05", end="2026-01-06")
    assert 500 < len(coin) < 1440


def test_stocks_gap_over_night() -> None:
    bars = bars_of("AAPL", start="2026-01-05", end="2026-03-05")
    gaps = [abs(late.open / early.close - 1) for early, late in pairwise(bars) if late.ts - early.ts > HOUR]
    inside = [abs(late.open / early.close - 1) for early, late in pairwise(bars) if late.ts - early.ts == MINUTE]
    assert np.median(gaps) > 0.002
    assert np.max(inside) < 0.002


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("SPY", "QQQ", 0.9, 1.0),
        ("SPY", "AAPL", 0.5, 0.95),
        ("SPY", "TLT", -0.6, 0.0),
        ("SPY", "BTC/USD", 0.2, 0.7),
        ("BTC/USD", "ETH/USD", 0.6, 0.97),
    ],
)
def test_symbols_move_with_their_market(one: str, other: str, least: float, most: float) -> None:
    first, second = (log_returns(bars_of(symbol, start="2026-01-05", end="2026-01-17")) for symbol in (one, other))
    common = sorted(first.keys() & second.keys())
    correlation = np.corrcoef([first[ts] for ts in common], [second[ts] for ts in common])[0, 1]
    assert least < correlation < most


@pytest.mark.parametrize("symbol", ["SPY", "QQQ", "AAPL", "BTC/USD"])
def test_prices_are_lively_enough_for_minute_momentum(symbol: str) -> None:
    closes = np.array([bar.close for bar in bars_of(symbol, start="2026-01-05", end="2026-01-10")])
    moves = closes[20:] / closes[:-20] - 1
    assert np.mean(np.abs(moves) >= 0.002) > 0.2
    assert np.mean(np.abs(moves) >= 0.005) > 0.01
    assert np.max(np.abs(moves)) < 0.08


def test_volume_is_higher_at_the_open_and_the_close_than_at_noon() -> None:
    bars = bars_of("SPY", start="2026-01-05", end="2026-01-17")
    by_minute = np.array([bar.volume for bar in bars]).reshape(-1, 390).mean(axis=0)
    assert by_minute[:15].mean() > 2 * by_minute[180:210].mean()
    assert by_minute[-15:].mean() > 1.5 * by_minute[180:210].mean()


def test_levels_stay_plausible_for_decades() -> None:
    for year in range(1975, 2200, 25):
        price = bars_of("SPY", start=f"{year}-03-10", end=f"{year}-03-16")[0].close
        assert 680 / 1.5 < price < 680 * 1.5


class TestQuotes:
    """With ``quotes`` each minute's bar comes after the quotes and prints that make it."""

    @pytest.fixture(params=["SPY", "BTC/USD", "THIN", "X1/USD", "SHIB/USD"])
    def minutes(self, request: pytest.FixtureRequest) -> list[Minute]:
        found, quotes, trades = list[Minute](), list[Quote](), list[Trade]()
        for ticks in until(market(request.param, quotes=True), MONDAY + 2 * HOUR):
            quotes += [tick for tick in ticks.ticks if isinstance(tick, Quote)]
            trades += [tick for tick in ticks.ticks if isinstance(tick, Trade)]
            for bar in ticks.ticks:
                if isinstance(bar, Bar):
                    found.append((quotes, trades, bar))
                    quotes, trades = [], []
        return found

    def test_all_happen_inside_the_minute(self, minutes: list[Minute]) -> None:
        for quotes, trades, bar in minutes:
            inside: list[Quote | Trade] = [*quotes, *trades]
            assert all(bar.ts - MINUTE <= tick.ts < bar.ts for tick in inside)

    def test_the_prints_make_the_bar(self, minutes: list[Minute]) -> None:
        for _, trades, bar in minutes:
            prices = [trade.price for trade in trades]
            assert (prices[0], max(prices), min(prices), prices[-1]) == (bar.open, bar.high, bar.low, bar.close)
            assert sum(trade.size for trade in trades) == pytest.approx(bar.volume)
            assert all(trade.size > 0 for trade in trades)

    def test_a_quote_has_a_spread_around_a_price_of_the_bar(self, minutes: list[Minute]) -> None:
        for quotes, _, bar in minutes:
            assert len(quotes) == 4
            for quote in quotes:
                assert 0 < quote.bid < quote.ask
                middle = (quote.bid + quote.ask) / 2
                assert bar.low * (1 - 1e-9) <= middle <= bar.high * (1 + 1e-9)
                assert min(quote.bid_size, quote.ask_size) > 0

    def test_quote_prices_are_short_decimals(self, minutes: list[Minute]) -> None:
        for quotes, _, _ in minutes:
            assert all(price == round(price, 9) for quote in quotes for price in (quote.bid, quote.ask))

    def test_bars_are_the_same_without_them(self) -> None:
        with_quotes = [ticks for ticks in until(market(quotes=True), MONDAY + HOUR) if isinstance(ticks.ticks[0], Bar)]
        assert with_quotes == list(until(market(), MONDAY + HOUR))


def test_description_names_the_seed_and_the_start() -> None:
    assert market().describe() == "synthetic market, seed 1, from 2026-01-05T14:30:00Z"


def test_no_row_is_ever_skipped() -> None:
    assert dict(market().skipped) == {}


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: SyntheticMarket([], seed=1, start=MONDAY), "symbols"),
        (lambda: market(start=parse_time("1969-07-20")), "start"),
        (lambda: market(start=parse_time("2233-03-22")), "start"),
    ],
)
def test_impossible_settings_are_refused_by_name(make: Callable[[], SyntheticMarket], place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert [problem.path for problem in caught.value.problems] == [place]


def test_a_market_of_coins_needs_no_calendar_of_new_york() -> None:
    program = (
        "import sys; from trader.access.sim.market import SyntheticMarket as M;"
        "m = M(['BTC/USD'], seed=1, start=10**18); next(m.ticks()); list(m.history({'BTC/USD': 9}));"
        "print('pandas' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "False"


def test_days_from_before_the_start_lead_up_to_its_minutes() -> None:
    feed = market("SPY", "BTC/USD")
    found = {symbol: [bar for bar in feed.days(500) if bar.symbol == symbol] for symbol in ("SPY", "BTC/USD")}
    assert {symbol: len(bars) for symbol, bars in found.items()} == {"SPY": 500, "BTC/USD": 500}
    assert [iso(bars[-1].ts) for bars in found.values()] == ["2026-01-03T05:00:00Z", "2026-01-05T00:00:00Z"]
    first = next(feed.ticks()).ticks
    for tick in first:
        assert isinstance(tick, Bar)
        assert found[tick.symbol][-1].close == pytest.approx(tick.open, rel=0.05)
    for bars in found.values():
        returns = [after.close / before.close - 1 for before, after in pairwise(bars)]
        assert 0.005 < float(np.std(returns)) < 0.06
        assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
        assert all(bar.volume > 0 for bar in bars)


def test_a_day_is_the_same_whenever_and_with_whomever_it_is_looked_at() -> None:
    early = {(bar.symbol, bar.ts): bar for bar in market("SPY", start=MONDAY - 90 * DAY).days(300)}
    late = {(bar.symbol, bar.ts): bar for bar in market("SPY", "QQQ", start=MONDAY).days(300)}
    both = early.keys() & late.keys()
    assert len(both) > 200
    assert all(early[key] == late[key] for key in both)
    assert market("SPY", seed=2).days(1) != market("SPY").days(1)


def test_at_the_beginning_of_time_there_are_few_days() -> None:
    start = parse_time("1970-01-05T14:30")
    assert len(market("BTC/USD", start=start).days(500)) == 4
    assert len(market("SPY", start=start).days(500)) == 1
