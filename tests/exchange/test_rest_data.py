"""Test the market-data REST API, request by request."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.build import T0
from tests.exchange.data_calls import ARCHIVE, KEY, NOW, OTHER, ask, call, desk
from trader.exchange.data_messages import trade_id, vwap
from trader.exchange.keys import Key
from trader.exchange.rest_faults import RestFault
from trader.model.time import DAY, HOUR, MINUTE, iso

BARS = "/v2/stocks/bars"
CRYPTO = "/v1beta3/crypto/us"


async def paged(path: str, kind: str, **query: object) -> list[tuple[str, Any]]:
    """Follow the pages to the end and return every row with its symbol, as they came."""
    rows: list[tuple[str, Any]] = []
    token = None
    while True:
        page = await ask(path, **query, **({"page_token": token} if token else {}))
        rows += [(symbol, row) for symbol, of_symbol in page[kind].items() for row in of_symbol]
        token = page["next_page_token"]
        if token is None:
            return rows


class TestBars:
    async def test_minute_bars_are_the_archives_by_start_both_ends_included(self) -> None:
        answer = await ask(BARS, symbols="SPY", timeframe="1Min", start=iso(T0), end=iso(T0 + 5 * MINUTE))
        [*bars] = ARCHIVE.bars("SPY", T0, T0 + 5 * MINUTE)
        assert answer["next_page_token"] is None
        assert [row["t"] for row in answer["bars"]["SPY"]] == [iso(bar.ts - MINUTE) for bar in bars]
        first, bar = answer["bars"]["SPY"][0], bars[0]
        assert first == {
            "t": "2026-01-05T14:30:00Z",
            "o": bar.open,
            "h": bar.high,
            "l": bar.low,
            "c": bar.close,
            "v": int(bar.volume),
            "n": 4,
            "vw": vwap(bar),
        }
        assert isinstance(first["v"], int)

    async def test_nothing_is_shown_that_is_not_over(self) -> None:
        answer = await ask(BARS, symbols="SPY", timeframe="1Min", start=iso(T0), end=iso(NOW + DAY))
        assert answer["bars"]["SPY"][-1]["t"] == "2026-01-05T16:34:00Z"
        answer = await ask(BARS, symbols="SPY", timeframe="30Min", start=iso(T0))
        assert answer["bars"]["SPY"][-1]["t"] == "2026-01-05T16:00:00Z"

    async def test_the_days_bar_is_still_forming_and_grows(self) -> None:
        days = []
        for now in (NOW, NOW + MINUTE):
            called = await call(desk(now=now), BARS, symbols="SPY", timeframe="1Day", start="2026-01-05")
            [day] = called.body["bars"]["SPY"]
            days.append(day)
        minutes = ARCHIVE.bars("SPY", T0, NOW - MINUTE)
        assert days[0]["t"] == "2026-01-05T05:00:00Z"
        assert days[0]["v"] == sum(bar.volume for bar in minutes)
        assert (days[0]["o"], days[0]["h"]) == (minutes[0].open, max(bar.high for bar in minutes))
        assert days[1]["n"] == days[0]["n"] + 4

    async def test_symbols_come_sorted_and_pages_end_within_them(self) -> None:
        query = {"symbols": "TSLA,AAPL,SPY", "timeframe": "1Min", "start": iso(T0), "end": iso(T0 + 10 * MINUTE)}
        whole = await paged(BARS, "bars", **query)
        assert [symbol for symbol, _ in whole] == sorted(symbol for symbol, _ in whole)
        for limit in (1, 10, 11, 12, 33):
            assert await paged(BARS, "bars", **query, limit=limit) == whole
        first = await ask(BARS, **query, limit=11)
        assert set(first["bars"]) == {"AAPL"}

    async def test_the_newest_come_first_when_asked_for(self) -> None:
        query = {"symbols": "BTC/USD,ETH/USD", "timeframe": "1Min", "start": iso(T0), "end": iso(T0 + 90 * MINUTE)}
        whole = await paged(f"{CRYPTO}/bars", "bars", **query)
        by_symbol = {symbol: [row for name, row in whole if name == symbol] for symbol in ("BTC/USD", "ETH/USD")}
        backwards = [(symbol, row) for symbol, rows in by_symbol.items() for row in reversed(rows)]
        for limit in (25, 10_000):
            assert await paged(f"{CRYPTO}/bars", "bars", **query, sort="desc", limit=limit) == backwards

    async def test_a_page_has_a_thousand_rows_unless_told_otherwise(self) -> None:
        query = {"symbols": "BTC/USD", "timeframe": "1Min", "start": iso(T0 - DAY)}
        assert len((await ask(f"{CRYPTO}/bars", **query))["bars"]["BTC/USD"]) == 1000

    async def test_a_coins_volume_is_a_fraction_and_its_day_begins_at_midnight_utc(self) -> None:
        answer = await ask(f"{CRYPTO}/bars", symbols="BTC/USD", timeframe="1Day", start="2026-01-03", end="2026-01-04")
        days = answer["bars"]["BTC/USD"]
        assert [day["t"] for day in days] == ["2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"]
        assert isinstance(days[0]["v"], float)

    @pytest.mark.parametrize(
        ("timeframe", "stamps"),
        [
            ("1Hour", ["2026-01-02T14:00:00Z", "2026-01-02T15:00:00Z", "2026-01-02T16:00:00Z"]),
            ("4H", ["2026-01-02T13:00:00Z", "2026-01-02T17:00:00Z"]),
            ("1D", ["2026-01-02T05:00:00Z", "2026-01-05T05:00:00Z"]),
            ("1Week", ["2025-12-29T05:00:00Z", "2026-01-05T05:00:00Z"]),
            ("1Month", ["2026-01-01T05:00:00Z"]),
        ],
    )
    async def test_longer_bars_have_new_yorks_stamps(self, timeframe: str, stamps: list[str]) -> None:
        answer = await ask(BARS, symbols="SPY", timeframe=timeframe, start=min(stamps), end=iso(NOW))
        assert [row["t"] for row in answer["bars"]["SPY"]][: len(stamps)] == stamps

    async def test_quarters_and_years_begin_with_their_first_month(self) -> None:
        answer = await ask(BARS, symbols="SPY", timeframe="3Month", start="2025-01-01", end="2025-12-31")
        starts = [row["t"][:10] for row in answer["bars"]["SPY"]]
        assert starts == ["2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01"]

    async def test_longer_bars_add_up(self) -> None:
        span = {"symbols": "ETH/USD", "start": "2025-12-15", "end": "2025-12-21"}
        [week] = (await ask(f"{CRYPTO}/bars", **span, timeframe="1Week"))["bars"]["ETH/USD"]
        for timeframe in ("7Min", "5Hour", "1Day"):
            parts = [row for _, row in await paged(f"{CRYPTO}/bars", "bars", **span, timeframe=timeframe)]
            assert sum(row["v"] for row in parts) == pytest.approx(week["v"])
            assert sum(row["n"] for row in parts) == week["n"]
            assert (parts[0]["o"], parts[-1]["c"]) == (week["o"], week["c"])
            assert (max(row["h"] for row in parts), min(row["l"] for row in parts)) == (week["h"], week["l"])
            assert sum(row["vw"] * row["v"] for row in parts) / week["v"] == pytest.approx(week["vw"])

    async def test_a_date_as_an_end_means_its_whole_day(self) -> None:
        answer = await ask(BARS, symbols="SPY", timeframe="1Hour", start="2025-12-30", end="2025-12-30")
        stamps = [row["t"] for row in answer["bars"]["SPY"]]
        assert (stamps[0], stamps[-1]) == ("2025-12-30T14:00:00Z", "2025-12-30T20:00:00Z")

    async def test_without_a_start_the_day_is_shown(self) -> None:
        answer = await ask(BARS, symbols="SPY", timeframe="1Min")
        assert answer["bars"]["SPY"][0]["t"] == "2026-01-05T14:30:00Z"

    async def test_a_time_may_have_an_offset_and_nanoseconds(self) -> None:
        end = "2026-01-05T09:35:00.000000001-05:00"
        answer = await ask(BARS, symbols="SPY", timeframe="1Min", start="2026-01-05T09:35:00-05:00", end=end)
        assert [row["t"] for row in answer["bars"]["SPY"]] == ["2026-01-05T14:35:00Z"]

    async def test_a_start_before_all_history_is_taken(self) -> None:
        answer = await ask(BARS, symbols="SPY", timeframe="1Min", start="1900-01-01", limit=1)
        assert answer["bars"]["SPY"][0]["t"] == "2016-01-04T14:30:00Z"

    async def test_one_symbol_in_the_path(self) -> None:
        answer = await ask("/v2/stocks/SPY/bars", timeframe="1Min", start=iso(T0), limit=2)
        assert answer["symbol"] == "SPY"
        assert len(answer["bars"]) == 2
        following = await ask(
            "/v2/stocks/SPY/bars", timeframe="1Min", start=iso(T0), page_token=answer["next_page_token"]
        )
        assert following["bars"][0]["t"] == "2026-01-05T14:32:00Z"


class TestTicks:
    async def test_trades_have_numbers_and_codes(self) -> None:
        answer = await ask("/v2/stocks/trades", symbols="SPY", start=iso(T0), end=iso(T0 + MINUTE))
        trades = ARCHIVE.trades("SPY", T0, T0 + MINUTE)
        first = answer["trades"]["SPY"][0]
        assert first == {
            "t": iso(trades[0].ts),
            "p": trades[0].price,
            "s": int(trades[0].size),
            "i": trade_id(trades[0]),
            "x": "V",
            "c": ["@"],
            "z": "B",
        }
        assert len({row["i"] for row in answer["trades"]["SPY"]}) == len(trades)

    async def test_a_coins_trades_name_the_taker(self) -> None:
        answer = await ask(f"{CRYPTO}/trades", symbols="BTC/USD", start=iso(T0), end=iso(T0 + 30 * MINUTE))
        assert {row["tks"] for row in answer["trades"]["BTC/USD"]} == {"B", "S"}
        assert set(answer["trades"]["BTC/USD"][0]) == {"t", "p", "s", "i", "tks"}

    @pytest.mark.parametrize("kind", ["trades", "quotes"])
    async def test_pages_of_ticks_lose_and_double_none(self, kind: str) -> None:
        query = {"symbols": "BTC/USD,ETH/USD", "start": iso(T0 - HOUR), "end": iso(T0)}
        whole = await paged(f"{CRYPTO}/{kind}", kind, **query)
        assert len(whole) > 300
        assert await paged(f"{CRYPTO}/{kind}", kind, **query, limit=77) == whole

    async def test_no_tick_is_of_the_future(self) -> None:
        answer = await ask("/v2/stocks/quotes", symbols="SPY", start=iso(NOW - MINUTE), end=iso(NOW + HOUR))
        assert answer["quotes"]["SPY"]
        assert all(row["t"] <= iso(NOW) for row in answer["quotes"]["SPY"])


class TestLatest:
    async def test_the_newest_bar_is_the_last_one_that_is_over(self) -> None:
        answer = await ask(f"{BARS}/latest", symbols="SPY,AAPL")
        assert {row["t"] for row in answer["bars"].values()} == {"2026-01-05T16:34:00Z"}

    async def test_on_a_weekend_the_newest_is_of_friday(self) -> None:
        now = int(datetime(2026, 1, 4, 12, tzinfo=UTC).timestamp()) * 10**9
        called = await call(desk(now=now), f"{BARS}/latest", symbols="SPY")
        assert called.body["bars"]["SPY"]["t"] == "2026-01-02T20:59:00Z"

    @pytest.mark.parametrize("kind", ["trades", "quotes"])
    async def test_the_newest_tick_is_the_archives(self, kind: str) -> None:
        answer = await ask(f"{CRYPTO}/latest/{kind}", symbols="BTC/USD")
        [*_, newest] = getattr(ARCHIVE, kind)("BTC/USD", NOW - HOUR, NOW)
        assert answer[kind]["BTC/USD"]["t"] == iso(newest.ts)

    async def test_an_order_book_is_the_quote(self) -> None:
        answer = await ask(f"{CRYPTO}/latest/orderbooks", symbols="BTC/USD")
        quote = ARCHIVE.quotes("BTC/USD", NOW - HOUR, NOW)[-1]
        book = answer["orderbooks"]["BTC/USD"]
        assert (book["b"], book["a"]) == (
            [{"p": quote.bid, "s": quote.bid_size}],
            [{"p": quote.ask, "s": quote.ask_size}],
        )

    async def test_a_snapshot_is_the_newest_of_everything(self) -> None:
        shots = await ask("/v2/stocks/snapshots", symbols="SPY,NOPE")
        assert set(shots) == {"SPY"}
        shot = shots["SPY"]
        assert set(shot) == {"latestTrade", "latestQuote", "minuteBar", "dailyBar", "prevDailyBar"}
        assert shot["minuteBar"]["t"] == "2026-01-05T16:34:00Z"
        assert (shot["dailyBar"]["t"], shot["prevDailyBar"]["t"]) == ("2026-01-05T05:00:00Z", "2026-01-02T05:00:00Z")
        assert (await ask(f"{CRYPTO}/snapshots", symbols="BTC/USD"))["snapshots"]["BTC/USD"]["latestTrade"]["tks"]

    async def test_one_symbol_in_the_path(self) -> None:
        assert set(await ask("/v2/stocks/SPY/bars/latest")) == {"symbol", "bar"}
        assert set(await ask("/v2/stocks/SPY/quotes/latest")) == {"symbol", "quote"}
        assert (await ask("/v2/stocks/SPY/snapshot"))["symbol"] == "SPY"
        assert (await call(desk(), "/v2/stocks/NOPE/trades/latest")).status == 404


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"timeframe": "60Min"}, "invalid timeframe"),
            ({"timeframe": "5Month"}, "invalid timeframe"),
            ({"timeframe": ""}, "invalid timeframe"),
            ({"timeframe": "Min"}, "invalid timeframe"),
            ({"limit": "0"}, "invalid limit"),
            ({"limit": "10001"}, "invalid limit"),
            ({"limit": "many"}, "invalid limit"),
            ({"start": "yesterday"}, "invalid start"),
            ({"start": "2026-01-05T14:30:00"}, "invalid start"),
            ({"end": "2026-13-01"}, "invalid end"),
            ({"start": "2026-01-05T15:00:00Z", "end": "2026-01-05T14:00:00Z"}, "end should not be before start"),
            ({"symbols": ""}, "symbols is required"),
            ({"symbols": "spy!"}, "invalid symbol"),
            ({"sort": "up"}, "invalid sort"),
            ({"feed": "nyse"}, "invalid feed"),
            ({"adjustment": "some"}, "invalid adjustment"),
            ({"page_token": "?"}, "invalid page_token"),
            ({"page_token": "QUFQTHwxTWlufDE="}, "invalid page_token"),
            ({"timefrime": "1Min"}, "unexpected parameter(s): timefrime"),
        ],
    )
    async def test_what_cannot_be_read_is_refused_with_a_message(self, change: dict[str, str], says: str) -> None:
        called = await call(desk(), BARS, **{"symbols": "SPY", "timeframe": "1Min", **change})
        assert called.status == 400
        assert says in called.body["message"]

    async def test_a_pair_without_its_slash_is_refused_in_alpacas_words(self) -> None:
        called = await call(desk(), f"{CRYPTO}/bars", symbols="BTCUSD", timeframe="1Min")
        assert called.status == 400
        assert called.body["message"] == "invalid symbol: BTCUSD does not match ^[A-Z]+x?/[A-Z]+$"

    @pytest.mark.parametrize("path", [f"{CRYPTO}/bars", f"{CRYPTO}/latest/quotes"])
    async def test_an_unknown_pair_is_an_empty_map(self, path: str) -> None:
        frame = {"timeframe": "1Min"} if path.endswith("/bars") else {}
        answer = await ask(path, symbols="NOPE/USD", **frame)
        assert answer[path.rpartition("/")[2]] == {}

    async def test_a_market_elsewhere_shows_nothing(self) -> None:
        assert (await ask(BARS, symbols="SPY", timeframe="1Min", feed="boats"))["bars"] == {}
        assert (await ask(f"{BARS}/latest", symbols="SPY", feed="overnight"))["bars"] == {}
        assert (await call(desk(), "/v1beta3/crypto/mars/bars", symbols="BTC/USD", timeframe="1Min")).status == 400

    async def test_a_basic_plan_sees_no_recent_consolidated_data(self) -> None:
        query = {"symbols": "SPY", "timeframe": "1Min", "start": iso(T0)}
        basic = desk(is_basic=True)
        recent = await call(basic, BARS, **query, end=iso(NOW - MINUTE))
        assert recent.status == 403
        assert recent.body["message"] == "subscription does not permit querying recent SIP data"
        delayed = await call(basic, BARS, **query)
        assert delayed.body["bars"]["SPY"][-1]["t"] == "2026-01-05T16:20:00Z"
        live = await call(basic, BARS, **query, feed="iex")
        assert live.body["bars"]["SPY"][-1]["t"] == "2026-01-05T16:34:00Z"
        assert (await call(basic, f"{BARS}/latest", symbols="SPY", feed="sip")).status == 403
        assert (await call(basic, f"{BARS}/latest", symbols="SPY")).status == 200

    @pytest.mark.parametrize(
        ("path", "key", "status"),
        [
            (f"{BARS}/latest", KEY, 200),
            (f"{BARS}/latest", None, 401),
            (f"{BARS}/latest", Key("PKNOPE", "nope", "PA1"), 401),
            (f"{BARS}/latest", Key(KEY.id, OTHER.secret, "PA1"), 401),
            (f"{CRYPTO}/latest/bars", None, 200),
            (f"{CRYPTO}/latest/bars", Key(KEY.id, "nope", "PA1"), 401),
        ],
    )
    async def test_stocks_need_a_key_and_coins_take_no_wrong_one(self, path: str, key: Key | None, status: int) -> None:
        symbols = "SPY" if "stocks" in path else "BTC/USD"
        assert (await call(desk(), path, key=key, symbols=symbols)).status == status


class TestTrouble:
    async def test_the_limit_is_counted_by_account_and_told(self) -> None:
        limited = desk(per_minute=2)
        answers = [await call(limited, f"{BARS}/latest", symbols="SPY") for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[0].headers["x-ratelimit-remaining"] == "1"
        assert (await call(limited, f"{BARS}/latest", key=OTHER, symbols="SPY")).status == 200

    async def test_a_fault_strikes_what_it_is_meant_for(self) -> None:
        faulty = desk()
        faulty.faults.arm(RestFault(kind="status", match="GET /v2/stocks/bars", status=504))
        faulty.faults.arm(RestFault(kind="garbage", match="GET /v1beta3"))
        assert (await call(faulty, f"{CRYPTO}/latest/bars", symbols="BTC/USD")).body.startswith(b"<html>")
        assert (await call(faulty, "/v2/stocks/snapshots", symbols="SPY")).status == 200
        assert (await call(faulty, BARS, symbols="SPY", timeframe="1Min")).status == 504
        assert (await call(faulty, BARS, symbols="SPY", timeframe="1Min")).status == 200

    @pytest.mark.parametrize(
        ("fault", "status"),
        [
            (RestFault(kind="late", delay_s=0.001), 200),
            (RestFault(kind="accepted"), 504),
            (RestFault(kind="status", status=429), 429),
            (RestFault(kind="status", status=520), 520),
        ],
    )
    async def test_a_fault_makes_an_answer_late_or_another(self, fault: RestFault, status: int) -> None:
        faulty = desk()
        faulty.faults.arm(fault)
        assert (await call(faulty, f"{BARS}/latest", symbols="SPY")).status == status

    async def test_requests_are_logged_by_their_route(self) -> None:
        logged = desk()
        await call(logged, "/v2/stocks/SPY/bars", timeframe="1Min")
        assert logged.log.totals == {"GET /v2/stocks/{symbol}/bars": 1}
