"""One seed: a market, a venue, a process that dies and comes back, and what was found wrong."""

import traceback
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final, Literal

import msgspec

from trader.access.sim.venue_orders import Activity, OrderRequest
from trader.engine.engine import Engine
from trader.errors import NotDurable
from trader.model.inputs import Control, Ticks
from trader.model.money import decimal_of
from trader.model.orders import Side
from trader.model.time import MINUTE, SECOND, parse_time
from trader.storm.ceilings import ceilings_of, director_of, rules_of
from trader.storm.daemon import Crash, Daemon, is_mended_by_restart
from trader.storm.disk import Disk, Storage
from trader.storm.exchange import Exchange
from trader.storm.market import INSTRUMENTS, STEP, STRATEGIES, Market, specs
from trader.storm.promises import Violation
from trader.storm.timeline import Timeline
from trader.storm.weather import Weather
from trader.storm.witness import Witness

MINUTES: Final = 3  # that strategies decide on, unless told otherwise; faults end after the last of them
LATE_IN_MINUTE: Final = 45 * SECOND  # it begins so late in its first minute: nothing happens before that one's bar
LAST: Final = 5 * SECOND  # of the weather, after the last bar
SETTLED_WITHIN: Final = 240 * SECOND  # without faults: an exit in doubt keeps its place for 120 s, and waits for a bar
MOST_CALM: Final = 600 * SECOND  # and one thing may follow from another no longer than this
LOOK_EVERY: Final = 2 * SECOND
MOST_FUSE: Final = 40
CLOCK_OFF_S: Final = 0.5  # from the world's: with a second more every bar would be late, and nobody would decide
DOWN_S: Final = (1.0, 30.0)  # from the death of a process to the start of the next one

# In the middle of a New York day, two minutes before midnight there, and two minutes before midnight UTC.
STARTS: Final = tuple(map(parse_time, ("2026-11-23T15:00", "2026-11-23T04:58", "2026-11-22T23:58")))


class Outcome(msgspec.Struct, frozen=True):
    """What became of a seed; ``what`` is empty where nothing was wrong."""

    seed: int
    what: str
    at_s: float
    steps: int
    orders: int
    lives: int
    struck: dict[str, int]
    journal: str


def run_seed(
    seed: int, *, minutes: int = MINUTES, disk: Storage | None = None, trace: Callable[[str], None] | None = None
) -> Outcome:
    """Let one seed happen from its beginning to its end; equal seeds are equal to the last byte."""
    storm = Storm(seed, minutes, disk or Disk())
    if trace is not None:
        storm.timeline.trace(trace)
    try:
        storm.run()
        what = ""
    except Violation as violation:
        what = str(violation)
    except Exception as bug:  # noqa: BLE001 -- whatever it is, it is what this seed has found
        what = _told(bug)
    finally:
        storm.daemon_is_gone()
    return Outcome(
        seed=seed,
        what=what,
        at_s=storm.timeline.now / SECOND,
        steps=storm.timeline.steps,
        orders=len(storm.witness.created),
        lives=storm.lives,
        struck=storm.weather.struck,
        journal=storm.disk.digest(),
    )


def _told(bug: BaseException) -> str:
    """Say in one line what was raised, and where."""
    frames = traceback.extract_tb(bug.__traceback__)[-4:]
    where = " < ".join(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in reversed(frames))
    return f"bug: {type(bug).__name__}: {str(bug)[:300]} [{where}]"


class Storm:
    """The world of one seed."""

    def __init__(self, seed: int, minutes: int, disk: Storage) -> None:
        """Set everything up; nothing happens yet."""
        self.timeline = Timeline()
        self.weather = Weather(seed)
        self.disk = disk
        self.lives = 0
        minute = self.weather.pick(STARTS)
        self._start = minute + LATE_IN_MINUTE
        self._end = minutes * MINUTE - LATE_IN_MINUTE + LAST  # of the weather
        chance = self.weather.chances["strategy.raises"]
        self._specs = partial(specs, seed, quiet_from=minute + minutes * MINUTE, chance_of_error=chance)
        self._limits = ceilings_of(seed)
        self.exchange = Exchange(self.timeline, self.weather, INSTRUMENTS, self._start)
        self.market = Market(self.weather, minute)
        self.witness = Witness(self.exchange, self._limits)
        self.exchange.watcher = self.witness.passage
        self.daemon: Daemon | None = None
        self._fuse = 0  # steps until the process dies, when not zero

    def run(self) -> None:
        """Let it happen. Raises Violation."""
        self.timeline.after(0, self._move)
        self.timeline.after(MINUTE - LATE_IN_MINUTE, self._close)
        self.exchange.venue.observe(self.market.quotes(self._start), now=self._start)
        self._plan_faults()
        self._boot()
        self._pass(self._end)
        self.weather.is_calm = True
        calm_from = max(self._end, self.exchange.last_arrival)
        self._pass(calm_from)
        self._resolve(calm_from)
        assert self.daemon is not None
        self.witness.compare(self.daemon)

    def _resolve(self, calm_from: int) -> None:
        """Let time pass until nothing is open any more; nothing may be open for long. Raises Violation."""
        since: dict[str, int] = {}
        while reasons := self.witness.unresolved(self.daemon):
            now = self.timeline.now
            since = {reason: since.get(reason, now) for reason in reasons}
            old = [reason for reason, first in since.items() if now - first >= SETTLED_WITHIN]
            if old or now >= calm_from + MOST_CALM:
                raise Violation("I10", f"not resolved after the last fault: {'; '.join(old or reasons)}")
            self._note(f"unresolved: {'; '.join(reasons)}")
            self._pass(now + LOOK_EVERY)

    def daemon_is_gone(self) -> None:
        """Let go of the process."""
        if self.daemon is not None:
            self.daemon.kill()

    def _pass(self, until: int) -> None:
        """Let time pass; a process that crashes comes back."""
        while self.timeline.now < until:
            try:
                self.timeline.run(until, self._look)
            except (Crash, NotDurable):
                self._die()

    def _look(self) -> None:
        """Look at the process after everything that happened."""
        if self.witness.known.found is not None:
            raise self.witness.known.found
        if self._fuse:
            self._fuse -= 1
            if not self._fuse:
                raise Crash
        daemon = self.daemon
        if daemon is not None and daemon.failure is not None:
            if not is_mended_by_restart(daemon.failure):
                raise daemon.failure
            self._die()

    def _boot(self) -> None:
        self.lives += 1
        self._note(f"process {self.lives} begins")
        rules, director = rules_of(self._limits), director_of(self._limits)
        desk = Engine(self._specs(), book_id="storm", rules=rules, director=director)
        self.daemon = Daemon(self.exchange, self.disk.open(), self.market, desk=desk, observer=self.witness)
        self.witness.began(self.daemon)

    def _light(self) -> None:
        """Let the process die within the next few things that happen: between any two awaits."""
        self._fuse = 1 + self.weather.below(MOST_FUSE)

    def _die(self) -> None:
        """End the process, and plan the next one."""
        self._fuse = 0
        if self.daemon is None:
            return
        self._note(f"process {self.lives} dies ({self.daemon.failure or 'killed'})")
        if self.weather.below(2):
            self.daemon.commit()  # what is being written may be on the disk though nobody was told
        self.witness.died(self.daemon)
        self.daemon.kill()
        self.disk.crash()
        self.daemon = None
        self.timeline.after(self.weather.seconds(*DOWN_S), self._boot)

    def _note(self, what: str) -> None:
        if self.timeline.note is not None:
            self.timeline.note(what)

    # --- the market ---------------------------------------------------------------------------------------------

    def _move(self) -> None:
        exchange = self.exchange
        self.market.walk()
        quotes = self.market.quotes(exchange.now())
        if quotes:
            exchange.venue.observe(quotes, now=exchange.now())
            exchange.flush()
            if not self.weather.below(4):
                self._show(Ticks(0, quotes[:1]))
        self.timeline.after(STEP, self._move)

    def _close(self) -> None:
        """End a minute: its bars travel to the desk, most of them."""
        weather = self.weather
        bars = self.market.close(self.exchange.now())
        in_time = []
        for bar in bars:
            if weather.strikes("bar.missing"):
                continue
            if weather.strikes("bar.late"):
                self.timeline.after(weather.seconds(1.0, 30.0), self._show, Ticks(0, [bar]))
                continue
            in_time.append(bar)
            if weather.strikes("bar.doubled"):
                self.timeline.after(weather.seconds(0.1, 10.0), self._show, Ticks(0, [bar]))
        if in_time:
            self.timeline.after(SECOND, self._show, Ticks(0, in_time))
        self.timeline.after(MINUTE, self._close)

    def _show(self, ticks: Ticks) -> None:
        if self.daemon is not None and self.daemon.is_live:
            self.daemon.put(msgspec.structs.replace(ticks, ts=self.daemon.now()))

    # --- faults -------------------------------------------------------------------------------------------------

    def _plan_faults(self) -> None:
        happenings: dict[str, Callable[[], None]] = {
            "stream.dropped": lambda: self._each_stream("drop"),
            "stream.half_open": lambda: self._each_stream("mute"),
            "execution.busted": self._bust,
            "execution.corrected": self._correct,
            "order.canceled": lambda: self._strike("canceled"),
            "order.rejected": lambda: self._strike("rejected"),
            "order.manual": self._order_by_hand,
            "positions.wrong": self._show_wrong_position,
            "process.killed": self._light,
            "power.cut": self._light,
            "operator.halt": lambda: self._say("halt"),
            "operator.pause": lambda: self._say("pause"),
            "operator.resume": lambda: self._say("resume"),
            "operator.flatten": lambda: self._say("flatten"),
            "clock.stepped": self._step_clock,
        }
        for kind, happen in happenings.items():
            self._plan(kind, happen)

    def _plan(self, kind: str, happen: Callable[[], None]) -> None:
        wait = self.weather.next_time(kind)
        if wait is not None and self.timeline.now + wait < self._end:
            self.timeline.after(wait, self._happen, kind, happen)

    def _happen(self, kind: str, happen: Callable[[], None]) -> None:
        self.weather.struck[kind] = self.weather.struck.get(kind, 0) + 1
        self._note(kind)
        happen()
        self.exchange.flush()
        self._plan(kind, happen)

    def _say(self, action: Literal["halt", "pause", "resume", "flatten"]) -> None:
        strategy = self.weather.pick(("", *STRATEGIES))
        if self.daemon is not None and self.daemon.is_live:
            self.daemon.put(Control(self.daemon.now(), action, strategy, "storm"))

    def _each_stream(self, how: str) -> None:
        for stream in list(self.exchange.streams):
            if how == "drop":
                stream.drop("closed by the server: 1006")
            else:
                stream.fall_silent()
                self.exchange.last_arrival = max(self.exchange.last_arrival, self.timeline.now + 30 * SECOND)

    def _step_clock(self) -> None:
        if self.daemon is not None:
            self.daemon.ahead = round(self.weather.uniform(-CLOCK_OFF_S, CLOCK_OFF_S) * SECOND)

    def _show_wrong_position(self) -> None:
        exchange, weather = self.exchange, self.weather
        until = self.timeline.now + weather.seconds(20.0, 110.0)
        exchange.wrong = weather.pick(tuple(INSTRUMENTS)), weather.pick((-3, 3)), until
        exchange.last_arrival = max(exchange.last_arrival, until)

    def _executions(self) -> list[Activity]:
        """Return what may be restated: what happened before there were books nobody has booked."""
        books = self.witness.known.books.account
        return [row for row in self.exchange.account.executions.values() if 0 < books.opened_at < row.ts]

    def _bust(self) -> None:
        exchange = self.exchange
        if rows := self._executions():
            exchange.venue.bust(exchange.account.name, self.weather.pick(rows).execution_id, now=exchange.now())

    def _correct(self) -> None:
        exchange, weather = self.exchange, self.weather
        if rows := self._executions():
            row = weather.pick(rows)
            assert row.price is not None
            price = decimal_of(round(float(row.price) * weather.uniform(0.995, 1.005), 2))
            exchange.venue.correct(exchange.account.name, row.execution_id, price=price, now=exchange.now())

    def _strike(self, status: str) -> None:
        exchange = self.exchange
        open_orders = [
            one.order for one in exchange.account.working.values() if status == "canceled" or not one.order.filled_qty
        ]
        if open_orders:
            order = self.weather.pick(open_orders)
            exchange.venue.strike(exchange.account.name, order.id, status, now=exchange.now())  # type: ignore[arg-type]

    def _order_by_hand(self) -> None:
        """Trade by another hand; coins are only bought: who sells coins of ours leaves us none to sell."""
        exchange, weather = self.exchange, self.weather
        symbol = weather.pick(tuple(INSTRUMENTS))
        is_coin = "/" in symbol
        side = Side.BUY if is_coin else weather.pick((Side.BUY, Side.SELL))
        qty = Decimal(1 + weather.below(5))
        request = OrderRequest(symbol, side, "market", "gtc" if is_coin else "day", qty=qty)
        exchange.venue.submit(exchange.account.name, request, now=exchange.now())
