"""The oracle itself, on cases small enough to work out by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from tests.recorded.oracle import Book, Fill, recompute
from tests.recorded.signals import build_bars, exact, exact_rsi, exact_z_score, wilder_rsi, z_scores

OPENING = datetime(2024, 1, 3, 15, 0, tzinfo=UTC)  # ten in the morning in New York
Row = tuple[float, float, float, float]
MOVE = {"lookback_period": 1, "momentum_threshold": 0.00995}  # a bar's move of 1 % either way is a signal


def test_an_entry_is_sized_at_the_close_and_filled_at_the_next_open() -> None:
    (fill,) = run(spec(), {"A": closes(100, 101, 101.5)}).fills
    assert fill == Fill(
        ts=OPENING + timedelta(minutes=2),
        strategy="s",
        symbol="A",
        side="buy",
        qty=Decimal("49.5049"),  # floor(0.5 × 10000 / 101) at the fourth decimal
        price=Decimal("101.5"),
        fee=Decimal(0),
        fee_asset="USD",
        decision_price=Decimal(101),
        reason="signal",
    )


def test_a_fall_sells_the_whole_position() -> None:
    book = run(spec(), {"A": closes(100, 101, 101, 99, 98)})
    assert [(fill.side, fill.qty, fill.price) for fill in book.fills] == [
        ("buy", Decimal("49.5049"), Decimal(101)),
        ("sell", Decimal("49.5049"), Decimal(98)),
    ]
    assert book.cash == 10000 - 3 * Decimal("49.5049")


def test_an_order_waits_for_its_symbols_next_bar() -> None:
    (fill,) = run(spec(), {"A": closes(100, 101) | {9: (102, 102, 102, 102)}}).fills
    assert (fill.ts, fill.price) == (OPENING + timedelta(minutes=9), Decimal(102))


def test_crypto_pays_its_fee_in_coin_when_it_buys_and_in_dollars_when_it_sells() -> None:
    book = run(spec(tickers=["B/USD"]), {"B/USD": closes(300, 303, 303, 290, 290)})
    bought, sold = book.fills
    assert (bought.qty, bought.fee, bought.fee_asset) == (Decimal("16.501650165"), Decimal("0.041254126"), "B")
    assert (sold.qty, sold.fee_asset) == (Decimal("16.460396039"), "USD")
    assert sold.fee == Decimal("11.933787129")  # 16.460396039 × 290 × 0.0025 = 11.93378712827…, rounded up
    assert book.cash == 10000 - Decimal("16.501650165") * 303 + Decimal("16.460396039") * 290 - sold.fee


def test_without_fees_nothing_is_taken() -> None:
    config = {"strategies": [spec(tickers=["B/USD"])], "broker": {"simulated": {"fees": "none"}}}
    (book,) = recompute(config, {"B/USD": frame(closes(300, 303, 303))})
    assert (book.fills[0].fee, book.qty["B/USD"]) == (Decimal(0), book.fills[0].qty)


def test_a_stop_counts_from_the_bar_of_the_entry_and_goes_before_the_target() -> None:
    rows = closes(100, 101) | {2: (101, 104, 99, 101), 3: (100.5, 101, 100, 100)}
    book = run(spec(stop_loss_pct=0.01, take_profit_pct=0.02), {"A": rows})
    sold = book.fills[1]
    assert (sold.reason, sold.decision_price, sold.price) == ("stop_loss", Decimal("99.99"), Decimal("100.5"))
    assert sold.ts == OPENING + timedelta(minutes=3)


def test_a_stop_that_gapped_is_decided_at_the_open() -> None:
    rows = closes(100, 101, 101) | {3: (99, 99, 98, 99), 4: (99, 99, 99, 99)}
    assert run(spec(stop_loss_pct=0.01), {"A": rows}).fills[1].decision_price == 99


def test_a_target_is_taken_at_its_level() -> None:
    rows = closes(100, 101, 101) | {3: (101, 104, 101, 101.5), 4: (101, 101, 101, 101)}
    sold = run(spec(take_profit_pct=0.02), {"A": rows}).fills[1]
    assert (sold.reason, sold.decision_price, sold.price) == ("take_profit", Decimal("103.02"), Decimal(101))


def test_a_short_is_stopped_above_and_takes_below() -> None:
    rows = closes(100, 99, 99) | {3: (99, 100, 99, 99.5), 4: (99.5, 99.5, 99.5, 99.5)}
    assert run(spec(allow_short=True, stop_loss_pct=0.01), {"A": rows}).fills[1].decision_price == Decimal("99.99")
    rows |= {3: (97, 97, 96, 97)}
    assert run(spec(allow_short=True, take_profit_pct=0.01), {"A": rows}).fills[1].decision_price == 97


def test_the_second_ticker_of_a_minute_sees_what_the_first_reserved() -> None:
    both = {"A": closes(100, 101, 101), "B": closes(100, 101, 101)}
    bought = run(spec(tickers=["A", "B"], max_position_size=0.9), both).fills
    # 9000 / 101, then (10000 − 89.1089 × 101 × 1.02) / 1.02 / 101
    assert [fill.qty for fill in bought] == [Decimal("89.1089"), Decimal("7.9596")]


def test_entries_end_with_the_days_count_and_exits_pass() -> None:
    book = run(spec(max_daily_trades=1), {"A": closes(100, 101, 101, 99, 101, 101)})
    assert [fill.side for fill in book.fills] == ["buy", "sell"]
    assert book.refusals == {"max_daily_trades": 1}


def test_the_day_of_stocks_turns_at_midnight_in_new_york_and_that_of_crypto_in_utc() -> None:
    def fills(ticker: str, midnight: datetime) -> int:
        rows = closes(100, 101, 101, 99, 101, 101)  # the third order is approved in the fifth minute
        only = spec(tickers=[ticker], max_daily_trades=2)
        return len(run(only, {ticker: rows}, begin=midnight - timedelta(minutes=4)).fills)

    assert fills("A", datetime(2024, 1, 4, 0, 0, tzinfo=UTC)) == 2
    assert fills("A", datetime(2024, 1, 4, 5, 0, tzinfo=UTC)) == 3
    assert fills("A/USD", datetime(2024, 1, 4, 0, 0, tzinfo=UTC)) == 3


def test_the_daily_loss_flattens_and_stops_opening() -> None:
    book = run(spec(max_daily_loss=49.5), {"A": closes(100, 101, 101, 100, 99.8, 101, 101)})
    sold = book.fills[1]
    assert (sold.reason, sold.decision_price, sold.price) == ("max_daily_loss", Decimal(100), Decimal("99.8"))
    assert book.refusals["max_daily_loss"] == 1


def test_the_daily_loss_may_be_held() -> None:
    book = run(spec(max_daily_loss=49.5, on_daily_loss="hold"), {"A": closes(100, 101, 101, 100, 99.8)})
    assert [fill.side for fill in book.fills] == ["buy"]


def test_an_entry_that_still_waits_is_not_opened_after_the_daily_loss() -> None:
    rows = {"A": closes(100, 101, 101, 100, 100, 100), "B": closes(100, 100, 101) | {5: (101, 101, 101, 101)}}
    for then in ("flatten", "hold"):
        book = run(spec(tickers=["A", "B"], max_position_size=0.4, max_daily_loss=30.0, on_daily_loss=then), rows)
        assert {fill.symbol for fill in book.fills} == {"A"}


def test_a_reversal_leaves_first_and_enters_at_the_next_decision() -> None:
    book = run(spec(allow_short=True), {"A": closes(100, 101, 101, 99, 99, 99)})
    moves = [(fill.side, fill.reason, fill.ts - OPENING) for fill in book.fills]
    assert moves == [
        ("buy", "signal", timedelta(minutes=2)),
        ("sell", "signal", timedelta(minutes=4)),
        ("sell", "signal", timedelta(minutes=5)),
    ]
    assert book.qty["A"] < 0


def test_the_first_decision_is_at_the_bar_that_completes_the_warm_up() -> None:
    rising = closes(100, 101, 102.1, 103.2, 104.3, 105.4)
    assert run(spec(min_warmup_bars=4), {"A": rising}).fills[0].decision_price == Decimal("103.2")
    later = run(spec(min_warmup_bars=4), {"A": rising}, start=OPENING + timedelta(minutes=4))
    assert later.fills[0].decision_price == Decimal("104.3")


def test_a_larger_bar_is_decided_at_the_end_of_its_bucket_though_its_last_minutes_are_missing() -> None:
    rows = closes(100, 100) | {6: (101, 101, 101, 101), 10: (102, 102, 102, 102), 11: (103, 103, 103, 103)}
    (fill,) = run(spec(bar="5Min"), {"A": rows}).fills
    assert (fill.ts, fill.price, fill.decision_price) == (OPENING + timedelta(minutes=10), Decimal(102), Decimal(101))
    joined = build_bars(frame(rows), 5)
    assert joined["close"].tolist() == [100, 101, 103]
    assert (joined["minute"] - int(OPENING.timestamp()) // 60).tolist() == [4, 9, 14]


def test_too_small_an_order_is_not_sent() -> None:
    assert run(spec(initial_cash=1.0), {"A": closes(100, 101, 101)}).refusals == {"min_notional": 1}


def test_whole_shares_are_bought_where_fractions_are_not() -> None:
    assert run(spec(fractionable=False), {"A": closes(100, 101, 101)}).fills[0].qty == 49


def test_entries_wait_until_cash_is_positive() -> None:
    gap = {"A": closes(100, 101, 160), "B": closes(100, 100, 101, 101)}
    book = run(spec(tickers=["A", "B"], max_position_size=1.0), gap)
    assert book.cash < 0
    assert book.refusals == {"cash": 1}


def test_rsi_is_wilders() -> None:
    # Seed 2/3 up, 1/3 down; then (2 · 2/3 + 0) / 3 = 4/9 up and (2 · 1/3 + 1) / 3 = 5/9 down.
    assert np.allclose(wilder_rsi(np.array([1.0, 2, 3, 2, 1]), 3)[3:], [200 / 3, 400 / 9])
    assert wilder_rsi(np.full(6, 84.6), 3)[3:].tolist() == [50.0, 50.0, 50.0]


def test_a_flat_window_has_no_deviation() -> None:
    z = z_scores(np.array([84.6, 84.6, 84.6, 84.9]), 3)
    assert np.isnan(z[:2]).all()
    assert z[2] == 0
    assert np.isclose(z[3], 2**0.5)


def test_a_value_on_the_threshold_is_on_it_whatever_floats_say() -> None:
    prices = [4559.14] * 4 + [4559.15]  # a fifth above the mean of the others: in cents 0.8 / 0.4
    assert z_scores(np.array(prices), 5)[4] != 2
    assert exact_z_score([exact(price) for price in prices]) == 2
    assert exact_rsi([exact(price) for price in (84.1, 84.4, 83.7)], 2) == 30


def test_adaptive_lets_volume_break_the_balance() -> None:
    params = {"short_window": 1, "long_window": 2, "rsi_period": 2, "rsi_oversold": 0, "rsi_overbought": 60}
    adaptive = spec(strategy_type="adaptive", strategy_params=params)
    # The trend is up (+5) and the index over 60 (−3): 2 tenths keep; with volume above its mean (+2) it is 4, a buy.
    assert run(adaptive, {"A": closes(100, 99, 101, 101)}).fills == []
    assert len(run(adaptive, {"A": closes(100, 99, 101, 101)}, volumes=(10, 10, 20, 10)).fills) == 1


def test_mean_reversion_leaves_a_long_before_the_mean() -> None:
    params = {"lookback_period": 3, "entry_threshold": 1.2, "exit_threshold": 0.5}
    book = run(
        spec(strategy_type="mean_reversion", strategy_params=params), {"A": closes(100, 100, 99, 99.2, 99.4, 99.4)}
    )
    assert [(fill.side, fill.decision_price) for fill in book.fills] == [
        ("buy", Decimal(99)),
        ("sell", Decimal("99.2")),
    ]


def spec(**changes: object) -> dict[str, Any]:
    """Describe a strategy; what is not one of its own fields is a risk limit."""
    base: dict[str, Any] = {
        "name": "s",
        "strategy_type": "momentum",
        "strategy_params": MOVE,
        "tickers": ["A"],
        "initial_cash": 10000.0,
        "min_warmup_bars": 1,
    }
    own = {*base, "bar", "allow_short", "on_daily_loss", "fractionable"}
    risk = {"max_position_size": 0.5} | {key: value for key, value in changes.items() if key not in own}
    return base | {key: value for key, value in changes.items() if key in own} | {"risk_config": risk}


def closes(*prices: float) -> dict[int, Row]:
    """Make one bar a minute that never leaves its price."""
    return {minute: (price, price, price, price) for minute, price in enumerate(prices)}


def frame(rows: dict[int, Row], begin: datetime = OPENING, volumes: Sequence[float] = ()) -> pd.DataFrame:
    """Put bars, keyed by their minute after `begin`, into the form that recorded ones have."""
    made = pd.DataFrame(list(rows.values()), columns=["open", "high", "low", "close"], dtype="float64")
    made["minute"] = [int(begin.timestamp()) // 60 + minute for minute in rows]
    made["volume"] = list(volumes) or [10.0] * len(rows)
    return made


def run(
    strategy: dict[str, Any],
    rows: dict[str, dict[int, Row]],
    *,
    begin: datetime = OPENING,
    start: datetime | None = None,
    volumes: Sequence[float] = (),
) -> Book:
    """Run one strategy over the bars of each ticker."""
    bars = {ticker: frame(of_ticker, begin, volumes) for ticker, of_ticker in rows.items()}
    (book,) = recompute({"strategies": [strategy]}, bars, start=start)
    return book
