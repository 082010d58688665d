"""Whose books these are, and whether these settings may go on with them."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.build import T0, Rehearsal, by_minute, spec
from trader.config.credentials import given
from trader.config.endpoints import Endpoints
from trader.engine.engine import Engine
from trader.engine.sandbox import SandboxSpec
from trader.errors import ConfigError, JournalCorrupt, JournalLocked
from trader.live.access import Access
from trader.live.guard import Terms
from trader.live.recover import check, recover, restrained, settings_of
from trader.live.state_folder import JOURNAL
from trader.model.events import BooksOpened, OrderCreated
from trader.model.inputs import Control, Opened
from trader.model.orders import TradingState
from trader.risk.bounds import Bound
from trader.risk.conduct import ConductLimits, ConductOfAccount, ConductOfOne
from trader.risk.ladder import Ladder, Rungs
from trader.risk.limits import AccountLimits, GroupLimits
from trader.risk.regime import Regime
from trader.risk.rules import Rules

HELD = {"max_daily_loss": "100", "stop_loss": "0.05"}


def access(key: str = "PKONE0000000") -> Access:
    endpoints = Endpoints("http://127.0.0.1:1", "http://127.0.0.1:1", "ws://127.0.0.1:1", is_live=False)
    keys = given(key, "s" * 40)
    assert keys is not None
    return Access(keys, endpoints, (), Terms(is_live=False))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))


def desk_of(*specs: SandboxSpec) -> Rehearsal:
    desk = Rehearsal.__new__(Rehearsal)
    made = Rehearsal(*specs)
    desk.engine, desk.venue, desk.events = Engine(specs, book_id="t"), made.venue, []
    desk.take(Opened(T0, settings=settings_of(desk.engine)))
    return desk


def reopened(desk: Rehearsal, *specs: SandboxSpec) -> Engine:
    engine = Engine(specs, book_id="other")
    engine.desk.ledger.recover(desk.events)
    return engine


def test_new_books_are_made_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    desk = desk_of(spec(by_minute({1: 1.0})))
    desk.closes(100, 100)
    first = recover(folder, None, access(), Engine([spec(by_minute({}))], book_id="x"))
    first.journal.write([desk.events])
    first.journal.close()
    first.lock.release()

    engine = Engine([spec(by_minute({}))], book_id="x")
    again = recover(folder, None, access(), engine)
    assert engine.desk.ledger.digest() == desk.engine.desk.ledger.digest()
    assert folder.stat().st_mode & 0o777 == 0o700
    again.journal.close()
    again.lock.release()


def test_the_second_process_of_an_account_is_told_who_has_it(tmp_path: Path) -> None:
    one = recover(tmp_path / "a", None, access(), Engine([spec(by_minute({}))], book_id="x"))
    with pytest.raises(JournalLocked, match=r"the account of key PK.*in use by process"):
        recover(tmp_path / "b", None, access(), Engine([spec(by_minute({}))], book_id="x"))
    with pytest.raises(JournalLocked, match=JOURNAL):
        recover(tmp_path / "a", None, access("PKTWO0000000"), Engine([spec(by_minute({}))], book_id="x"))
    other = recover(tmp_path / "b", None, access("PKTWO0000000"), Engine([spec(by_minute({}))], book_id="x"))
    for held in (one, other):
        held.journal.close()
        held.lock.release()


def test_a_damaged_journal_lets_go_of_the_account(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL
    path.write_bytes(b"no journal at all" * 100)
    for _ in range(2):
        with pytest.raises(JournalCorrupt, match=JOURNAL):
            recover(tmp_path, None, access(), Engine([spec(by_minute({}))], book_id="x"))


@pytest.mark.parametrize("case", ["no order", "no state"])
def test_records_that_do_not_add_up_are_no_traceback(case: str, tmp_path: Path) -> None:
    desk = desk_of(spec(by_minute({1: 1.0})))
    desk.closes(100, 100)
    orphaned = [event for event in desk.events if not isinstance(event, OrderCreated)]
    one = recover(tmp_path, None, access(), Engine([spec(by_minute({}))], book_id="x"))
    one.journal.write([orphaned if case == "no order" else [BooksOpened(T0, b"\x80")]])
    one.journal.close()
    one.lock.release()
    for _ in range(2):  # the first one let go of everything
        with pytest.raises(JournalCorrupt, match="start the version that wrote them"):
            recover(tmp_path, None, access(), Engine([spec(by_minute({}))], book_id="x"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--state-dir"):
        recover(tmp_path / "file" / "state", None, access(), Engine([spec(by_minute({}))], book_id="x"))


def test_equal_or_tighter_limits_go_on() -> None:
    desk = desk_of(spec(by_minute({}), **HELD))
    check(
        reopened(desk, spec(by_minute({}), max_daily_loss="50", stop_loss="0.05", take_profit="1")),
        accepts_looser=False,
    )


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"max_daily_loss": "101", "stop_loss": "0.05"}, "max_daily_loss was 100 .* and is 101"),
        ({"stop_loss": "0.05"}, "max_daily_loss was 100 .* and is None"),
        ({"max_daily_loss": "100", "stop_loss": "0.06"}, "stop_loss"),
        (HELD | {"allow_short": True}, "allow_short"),
    ],
)
def test_a_looser_limit_is_named_and_must_be_accepted(limits: dict[str, object], named: str) -> None:
    desk = desk_of(spec(by_minute({}), **HELD))
    engine = reopened(desk, spec(by_minute({}), **limits))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"{named}.*--accept-looser"):
        check(engine, accepts_looser=False)
    check(engine, accepts_looser=True)


def test_a_looser_rule_of_the_desk_or_bound_of_a_strategy_is_named_and_a_tighter_one_goes_on() -> None:
    def engine(gross: float | None, budget: float | None) -> Engine:
        rules = Rules() if gross is None else Rules(account=AccountLimits(max_gross=Bound(gross)))
        return Engine([spec(by_minute({}), max_budget=Bound(budget))], book_id="x", rules=rules)

    before = engine(1.5, 1000.0)
    events = before.handle(Opened(T0, settings=settings_of(before))).events

    def found(gross: float | None, budget: float | None) -> list[str]:
        again = engine(gross, budget)
        again.desk.ledger.recover(events)
        check(again, accepts_looser=True)
        try:
            check(again, accepts_looser=False)
        except ConfigError as error:
            return [str(problem) for problem in error.problems]
        return []

    assert found(1.5, 1000.0) == found(1.0, 500.0) == []
    said = "when these books were last traded and is {}: looser; add --accept-looser"
    assert found(2.0, 2000.0) == [
        "risk.account.max_gross: was 1.5 " + said.format("2"),
        "strategies[0]: max_budget was 1000 " + said.format("2000"),
    ]
    assert len(found(None, None)) == 2


def test_a_looser_limit_is_named_where_the_settings_have_it() -> None:
    def engine(rules: Rules) -> Engine:
        return Engine([spec(by_minute({}))], book_id="x", rules=rules)

    lost, slow = Rungs(drawdown=Bound(0.1)), ConductOfOne(cooldown=Bound(5))
    before = engine(
        Rules(
            groups={"g": GroupLimits(("one",))},
            ladder=Ladder({"account": lost, "group g": lost, "strategy one": lost}),
            conduct=ConductLimits(ConductOfAccount(max_rejects=Bound(5)), {"one": slow}),
            regime=Regime(is_on=True),
        )
    )
    events = before.handle(Opened(T0, settings=settings_of(before))).events
    again = engine(Rules(groups={"g": GroupLimits(("one",))}))
    again.desk.ledger.recover(events)
    with pytest.raises(ConfigError) as refused:
        check(again, accepts_looser=False)
    assert {problem.path for problem in refused.value.problems} == {
        "risk.ladder.drawdown",
        "risk.ladder.groups.g.drawdown",
        "risk.ladder.strategies.one.drawdown",
        "risk.conduct.max_rejects",
        "risk_config.conduct.cooldown of strategy one",
        "risk.regime",
    }


def test_a_strategy_that_holds_something_cannot_be_left_out_but_one_that_is_flat_can() -> None:
    desk = desk_of(spec(by_minute({1: 1.0})), spec(by_minute({}), "QQQ", name="idle"))
    desk.closes(100, 100)
    check(reopened(desk, spec(by_minute({}))), accepts_looser=False)
    with pytest.raises(ConfigError, match=r"'one': .*holds [0-9.]+ SPY.*trader flatten one"):
        check(reopened(desk, spec(by_minute({}), "QQQ", name="idle")), accepts_looser=False)
    with pytest.raises(ConfigError, match="do not trade that"):
        check(reopened(desk, spec(by_minute({}), "QQQ")), accepts_looser=False)


def test_who_was_halted_in_an_earlier_run_is_named() -> None:
    desk = Rehearsal(spec(by_minute({}), name="one"), spec(by_minute({}), name="gone"))
    events = list(desk.events)
    for whom in ("", "one", "gone"):
        events += desk.engine.handle(Control(T0, "pause", whom, "me", "")).events
    again = Engine([spec(by_minute({}), name="one"), spec(by_minute({}), name="new")], book_id="other")
    again.desk.ledger.recover(events)
    assert list(restrained(again)) == [("", TradingState.PAUSED), ("one", TradingState.PAUSED)]


def test_an_order_in_flight_needs_its_strategy() -> None:
    desk = desk_of(spec(by_minute({1: 1.0})))
    desk.closes(100)
    with pytest.raises(ConfigError, match="has an open order in SPY"):
        check(reopened(desk, spec(by_minute({}), name="other")), accepts_looser=False)


def test_capital_that_is_spent_cannot_be_taken_away() -> None:
    desk = desk_of(spec(by_minute({1: 1.0})))
    desk.closes(100, 100)
    with pytest.raises(ConfigError, match=r"initial_cash: takes \$9000 from one, whose free cash is \$"):
        check(reopened(desk, spec(by_minute({}), cash="1000")), accepts_looser=False)
    free = desk.book().free_cash
    check(reopened(desk, spec(by_minute({}), cash=str(Decimal(10_000) - free))), accepts_looser=False)
