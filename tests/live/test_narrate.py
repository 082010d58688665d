"""Events become log lines: named after what happened, repeated refusals said once a day."""

from decimal import Decimal
from typing import get_args

from structlog.testing import capture_logs

from tests.build import T0, Rehearsal, always, bar, by_minute, spec
from tests.engine.rooms import Watched, ladder
from trader.engine.summary import summarize
from trader.live import narrate
from trader.live.narrate import Narrator
from trader.live.summary import as_json, as_text
from trader.model.conduct import Override
from trader.model.events import (
    DayStarted,
    Event,
    FlagCleared,
    FlagRaised,
    IntentTrimmed,
    OrderMoved,
    OverrideGranted,
    StateSet,
    SymbolLocked,
)
from trader.model.orders import OrderStatus, Side, TradingState
from trader.model.time import iso


def test_a_refusal_is_said_once_a_day_and_whispered_after_that() -> None:
    desk = Rehearsal(
        spec(by_minute(dict.fromkeys(range(1, 900), -1.0) | {1: 1.0, 2: 0.0, 4: 1.0, 5: 1.0}), max_daily_trades=2)
    )
    desk.closes(*[100.0] * 6)
    desk.closes(100, 100, start=871)
    narrator = Narrator()
    with capture_logs() as lines:
        for event in desk.events:
            narrator.narrate(event)
    denied = [line for line in lines if line["event"] == "order.denied"]
    assert [line["log_level"] for line in denied] == ["info", "debug"]
    assert denied[0]["rule"] == "max_daily_trades"
    assert not narrator._said  # noqa: SLF001 - the new day may say it again
    created = next(line for line in lines if line["event"] == "order.created")
    assert (created["order_id"], created["reserved"]) == ("t.one.1.554138f2", Decimal("9999.99840"))


def test_a_venues_refusal_is_a_warning_once_a_day_however_often_the_same_is_asked() -> None:
    narrator = Narrator()
    moves = [("o1", "too little"), ("o2", "too little"), ("o3", "no shares")]
    with capture_logs() as lines:
        narrator.narrate(OrderMoved(T0, "one", "SPY", "o1", OrderStatus.OPEN, ""))
        for order_id, text in moves:
            narrator.narrate(OrderMoved(T0, "one", "SPY", order_id, OrderStatus.REJECTED, text))
        narrator.narrate(DayStarted(T0, "one", Decimal(1)))
        narrator.narrate(OrderMoved(T0, "one", "SPY", "o4", OrderStatus.REJECTED, "too little"))
    levels = [line["log_level"] for line in lines if line["event"] == "order.moved"]
    assert levels == ["debug", "warning", "debug", "warning", "warning"]


def test_an_order_that_never_showed_up_is_a_warning_and_words_of_operators_are_too() -> None:
    narrator = Narrator()
    with capture_logs() as lines:
        narrator.narrate(OrderMoved(T0, "one", "SPY", "o1", OrderStatus.ABSENT, "not found"))
        narrator.narrate(StateSet(T0, "", TradingState.HALTED, "ann", ""))
        narrator.narrate(SymbolLocked(T0, "SPY", Decimal(1), Decimal(2), "differs"))
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("order.moved", "warning"), ("state.set", "warning"), ("symbol.locked", "error"),
    ]  # fmt: skip


def test_what_a_filter_takes_is_said_once_a_day_and_again_when_it_takes_all() -> None:
    narrator = Narrator()
    with capture_logs() as lines:
        for kept in ("4", "3", "0"):
            narrator.narrate(IntentTrimmed(T0, "one", "SPY", Side.BUY, Decimal(9), Decimal(kept), "atr", "1", "2"))
    assert [line["log_level"] for line in lines] == ["info", "debug", "info"]
    assert {line["event"] for line in lines} == {"intent.trimmed"}


def test_a_flag_that_stops_something_is_a_warning_each_time_and_one_that_only_tells_is_said_once_a_day() -> None:
    narrator = Narrator()
    with capture_logs() as lines:
        for action in ("reduce_only", "reduce_only", "alert", "alert"):
            narrator.narrate(FlagRaised(T0, "account", "max_gross", "hard", action, "1.5", "1.62"))
        narrator.narrate(FlagCleared(T0, "account", "max_gross", "hard", "the measure"))
        narrator.narrate(DayStarted(T0, "one", Decimal(1)))
        narrator.narrate(FlagRaised(T0, "account", "max_gross", "hard", "alert", "1.5", "1.62"))
    levels = [line["log_level"] for line in lines if line["event"].startswith("flag.")]
    assert levels == ["warning", "warning", "info", "debug", "info", "info"]


def test_an_override_is_told_with_who_asked_for_what_and_who_agreed() -> None:
    asked = Override(1, "one", "SPY", Side.BUY, Decimal(9), "max_gross", "hedge", T0, "ann", "bob")
    with capture_logs() as lines:
        Narrator().narrate(OverrideGranted(T0, asked))
    assert (lines[0]["event"], lines[0]["by"], lines[0]["approved_by"]) == ("override.granted", "ann", "bob")


def test_a_flags_line_says_in_words_what_ends_it() -> None:
    with capture_logs() as lines:
        for until in (0, T0, -1):
            Narrator().narrate(FlagRaised(T0, "strategy one", "loss_streak", "soft", "alert", "3", "3", until))
    assert [line["ends"] for line in lines] == [
        "it ends once loss_streak is known to be within its limit",
        f"it ends at {iso(T0)}, or with `trader resume one`",
        "it ends with `trader resume one`",
    ]


def test_every_event_has_a_line() -> None:
    assert set(get_args(Event)) == set(narrate._LINES)  # noqa: SLF001 -- the table is what is tried


def test_no_value_takes_the_place_of_what_every_line_begins_with() -> None:
    flag = FlagRaised(T0, "account", "max_gross", "soft", "alert", "1.5", "1.62")
    with capture_logs() as lines:
        Narrator().narrate(flag)
        Narrator().narrate(FlagCleared(T0, "account", "max_gross", "soft", "the measure"))
    assert [line["threshold"] for line in lines] == ["soft", "soft"]
    own = {"level", "mode", "event"}
    taken = {kind for kind in get_args(Event) if own & set(kind.__struct_fields__)}
    assert taken == {FlagRaised, FlagCleared}


def test_the_summary_names_what_waits_what_was_refused_and_what_is_not_active() -> None:
    desk = Rehearsal(spec(always(0.5), max_daily_trades=1), spec(always(0.5), name="cold", min_warmup_bars=99))
    desk.closes(100)
    text = as_text(summarize(desk.engine, "SIM"))
    assert "  Open Orders: 1" in text
    assert "  State: warming" in text
    desk.engine.desk.leave(desk.engine.sandboxes[0].slots["SPY"], "signal", ts=T0, price=100.0)  # type: ignore[arg-type]
    for command in desk.engine.desk.commands:
        desk.venue.cancel(command.order_id, T0)  # type: ignore[union-attr]
    desk.settle(T0)
    desk.minute(bar(minute=2))
    for kept in ("4", "3", "0"):
        trim = IntentTrimmed(T0, "one", "SPY", Side.BUY, Decimal(9), Decimal(kept), "atr", "1", "2")
        desk.engine.desk.ledger.apply(trim)
    summary = summarize(desk.engine, "SIM")
    assert "  Denied: atr 1, max_daily_trades 1" in as_text(summary)
    assert "  Trimmed: atr 2" in as_text(summary)
    assert '"initial_cash":"10000"' in as_json(summary)


def test_what_was_earned_is_no_loss_below_zero() -> None:
    desk = Watched(ladder(daily_loss=0.5, drawdown=0.5), spec(always(0.5)))
    desk.closes(100, 100, 120, 119)
    assert "  Lost: day 0.00%, peak 0.45%" in as_text(summarize(desk.engine, "SIM"))
