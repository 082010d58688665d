"""Seeded lives of a desk: strategies that babble, a venue that answers late, wrongly or never, operators and restarts.

A :class:`World` draws what happens next, hands it to a desk as one input, keeps the journal, and asks rules after every
input. Commands of a process that ends may have reached the venue or not; the next process begins from the journal.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

from tests.build import T0, spec
from trader.books.ledger import Ledger
from trader.director.chain import Director
from trader.engine.engine import NO_RULES, Engine, Step
from trader.engine.sandbox import SandboxSpec
from trader.model.commands import Command, SubmitOrder
from trader.model.events import UNJOURNALED, BooksOpened, Event, ExternalFilled, OrderDenied, OrderMoved
from trader.model.inputs import (
    ActivityReported,
    Control,
    DailyBars,
    ExternalReported,
    Held,
    History,
    Input,
    Mismatched,
    Opened,
    OrderReleased,
    OverrideAgreed,
    OverrideAsked,
    Released,
    Reported,
    Settled,
    Split,
    Ticks,
    TimerFired,
)
from trader.model.money import EXACT, ZERO, decimal_of, floor_to
from trader.model.orders import TERMINAL, Approved, Denied, ExecutionReport, OrderStatus, Side
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar, Quote
from trader.model.time import DAY, MINUTE, SECOND
from trader.risk.rules import Rules
from trader.store.journal import pack, unpack

CAPITAL = Decimal(50_000)  # of the account; each of at most four strategies has 10,000 of it
MENDING_ROUNDS = 25  # minutes of a well-behaved venue in which a flattened desk must be flat
LONGEST_LIFE = 200

Action = Literal["halt", "pause", "resume", "flatten"]
ACTIONS: tuple[Action, ...] = ("halt", "pause", "resume", "resume", "flatten")
T = TypeVar("T")


class Rule(Protocol):
    """What must hold after every input of a life; one instance sees one life."""

    def look(self, world: "World", message: Input, step: Step) -> None:
        """Assert it."""


class Broken(AssertionError):
    """A rule did not hold; the message begins with the seed and the number of the input."""

    def __init__(self, rule: type[Rule] | None, place: str) -> None:
        super().__init__(place)
        self.rule = rule  # None: the desk itself fell


@dataclass
class Life:
    """What happened in one life, by name, and what ended it early."""

    seed: int
    happened: Counter[str]
    broken: Broken | None = None


@dataclass(frozen=True)
class Guard:
    """What a desk is held to beside each sandbox's own limits."""

    rules: Rules = NO_RULES
    director: Director | None = None


UNGUARDED = Guard()


def live(
    seed: int,
    rules: Sequence[type[Rule]],
    *,
    last: type[Rule] | None = None,
    is_rewritten: bool = True,
    under: Guard = UNGUARDED,
) -> Life:
    """Live one life in which ``rules`` must hold; ``last`` is asked once everything was flattened.

    ``is_rewritten``: the venue takes executions back and splits shares. ``under`` is what guards the desk.
    """
    world = World(seed, rules, under)
    chances = {what: chance for what, chance in CHANCES.items() if is_rewritten or what not in REWRITES}
    happenings = [what for what, chance in chances.items() for _ in range(chance)]
    life = Life(seed, world.happened)
    try:
        world.restart()
        for _ in range(world.dice.number(LONGEST_LIFE // 5, LONGEST_LIFE)):
            world.pass_time()
            world.dice.pick(happenings)(world)
            if world.other_dice.chance(0.1):
                world.other_dice.pick(BESIDE)(world)
        flatten_all(world)
        if last is not None:
            world.ask(last(), *world.newest)
    except Broken as broken:
        life.broken = broken
    return life


class Dice:
    """Seeded chance."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def chance(self, of_one: float) -> bool:
        return self._rng.random() < of_one

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self._rng.random()

    def number(self, low: int, high: int) -> int:
        return int(self.between(low, high + 1))

    def pick(self, among: Sequence[T]) -> T:
        return among[int(self._rng.random() * len(among))]


class Babbler:
    """A strategy that wants something else every other bar, and breaks now and then."""

    warmup = 1

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def on_bar(self, bar: Bar, ctx: Any) -> Signals:
        if self._dice.chance(0.5):
            return None
        if self._dice.chance(0.006):
            raise ValueError("nothing to say")
        return Target(bar.symbol, self._dice.pick((-1.0, -0.4, 0.0, 0.0, 0.3, 0.7, 1.0)))


@dataclass
class Order:
    """An order that was sent, as the venue has it."""

    approved: Approved
    unsent: Decimal  # what crossed between sandboxes before
    left: Decimal
    is_known: bool = False  # the venue has said that it has it
    is_absent: bool = False  # the venue has said that it has not
    is_called_off: bool = False

    @property
    def is_untouched(self) -> bool:
        return not self.is_known and EXACT.add(self.left, self.unsent) == self.approved.intent.qty


@dataclass
class Venue:
    """Where orders are sent; it complains of what no real one would take."""

    working: dict[str, Order] = field(default_factory=dict)
    sent: dict[str, Order] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    executions: int = 0

    def take(self, command: Command) -> None:
        if not isinstance(command, SubmitOrder):
            if order := self.working.get(command.order_id):
                order.is_called_off = True
            return
        approved, intent = command.approved, command.approved.intent
        left = EXACT.subtract(intent.qty, command.crossed)
        if approved.order_id in self.sent:
            self.complaints.append(f"{approved.order_id} was sent twice")
        if left <= 0:
            self.complaints.append(f"{approved.order_id} asks for {left}")
        if not intent.reduces and (against := self._against(intent.symbol, intent.side)):
            self.complaints.append(f"{approved.order_id} would trade with our own {against}")
        self.sent[approved.order_id] = self.working[approved.order_id] = Order(approved, command.crossed, left)

    def execution_id(self) -> str:
        self.executions += 1
        return f"e{self.executions}"

    def _against(self, symbol: str, side: Side) -> list[str]:
        opposite = {
            order_id: order.approved.intent
            for order_id, order in self.working.items()
            if not order.is_absent and order.approved.intent.side is not side
        }
        return [order_id for order_id, intent in opposite.items() if intent.symbol == symbol]


class World:
    """A desk, its journal, its venue, and the time."""

    def __init__(self, seed: int, rules: Sequence[type[Rule]], guard: Guard = UNGUARDED) -> None:
        self.seed, self.rules, self.dice = seed, [rule() for rule in rules], Dice(seed)
        self.other_dice = Dice(seed + 1_000_000)  # for what was thought of later: the earlier lives stay what they were
        self.guard = guard
        self.settings = [_settings(self.dice, number) for number in range(self.dice.number(1, 4))]
        self.ts = T0
        self.prices = {"SPY": 100.0, "QQQ": 50.0, "BTC/USD": 20_000.0}
        self.journal: list[bytes] = []
        self.fold = Ledger()  # of the journal, and of nothing else
        self.events: list[Event] = []  # the journal's of the newest input
        self.newest: tuple[Input, Step]
        self.foreign: list[str] = []  # executions of other hands that are booked
        self.denied: Denied | None = None  # the newest
        self.commands: list[Command] = []  # not sent yet
        self.venue = Venue()
        self.happened: Counter[str] = Counter()
        self.inputs = 0
        self.engine: Engine

    def specs(self) -> list[SandboxSpec]:
        return [spec(Babbler(self.dice), *each["tickers"], **each["settings"]) for each in self.settings]

    def restart(self) -> None:
        """End the process with its last commands on their way, and begin one from the journal."""
        lost, self.commands = self.commands, []
        book_id = f"b{self.dice.number(0, 999)}"
        self.engine = Engine(self.specs(), book_id=book_id, rules=self.guard.rules, director=self.guard.director)
        self.engine.desk.ledger.recover(self._tail())
        self.take(Opened(self.ts, "account", CAPITAL))
        for symbol in self.engine.listings:
            if self.dice.chance(0.8):
                ended = self.ts // MINUTE * MINUTE
                self.take(History(self.ts, [_bar(symbol, ended, self.prices[symbol])]))
        for command in lost:
            if isinstance(command, SubmitOrder) or self.dice.chance(0.5):
                self.venue.take(command)

    def take(self, message: Input) -> None:
        """Hand one input to the desk, journal what became true, and ask every rule."""
        self.inputs += 1
        try:
            step = self.engine.handle(message)
        except Exception as error:
            raise Broken(None, f"{self._place(message)}: {error!r}") from error
        self.newest = message, step
        events = [event for event in step.events if type(event) not in UNJOURNALED]
        if events:
            self.journal.append(pack(len(self.journal) + 1, events))
        self.events = list(unpack(self.journal[-1]).events) if events else []
        for event in self.events:
            self._note(event)
        self.happened.update(type(one).__name__ for one in (message, *step.events))
        self.commands += step.commands
        for rule in self.rules:
            self.ask(rule, message, step)

    def ask(self, rule: Rule, message: Input, step: Step) -> None:
        try:
            rule.look(self, message, step)
        except AssertionError as error:
            raise Broken(type(rule), f"{self._place(message)}: {error}") from error

    def _place(self, message: Input) -> str:
        return f"seed {self.seed}, input {self.inputs} ({message})"

    def _note(self, event: Event) -> None:
        self.fold.apply(event)
        if isinstance(event, OrderMoved) and event.status in TERMINAL:
            self.venue.working.pop(event.order_id, None)
        elif isinstance(event, OrderDenied):
            self.denied = event.denied
        elif isinstance(event, ExternalFilled):
            self.foreign.append(event.execution_id)

    def _tail(self) -> list[Event]:
        """Return the journal from the last whole state in it, as a recovery reads it."""
        events = [event for record in self.journal for event in unpack(record).events]
        opened = [at for at, event in enumerate(events) if isinstance(event, BooksOpened)]
        return events[opened[-1] if opened else 0 :]

    def send(self) -> None:
        for command in self.commands:
            self.venue.take(command)
        self.commands = []

    def report(self, order: Order, status: OrderStatus, qty: Decimal = ZERO, *, reverses: str = "") -> None:
        """Let the venue speak: of an execution where ``qty`` is given."""
        order_id, intent = order.approved.order_id, order.approved.intent
        report = ExecutionReport(order_id, status, self.ts, reverses=reverses)
        if qty:
            price = decimal_of(round(self.prices[intent.symbol] * self.dice.between(0.99, 1.01), 2))
            fee, asset = Decimal("0.01") if self.dice.chance(0.3) else ZERO, "USD"
            if "/" in intent.symbol and intent.side is Side.BUY:
                fee, asset = floor_to(EXACT.multiply(qty, Decimal("0.0025")), Decimal("1e-9")), "BTC"
            execution_id = self.venue.execution_id()
            report = ExecutionReport(order_id, status, self.ts, execution_id, qty, price, fee, asset)
        order.left = EXACT.subtract(order.left, qty)
        if status in TERMINAL:
            self.venue.working.pop(order_id, None)
        order.is_absent = status is OrderStatus.ABSENT
        order.is_known = order.is_known or status in {OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED}
        self.take(Reported(self.ts, report))

    def timers(self, before: int) -> None:
        while (due := self.engine.next_timer()) is not None and due < before:
            self.take(TimerFired(due))

    def pass_time(self) -> None:
        self.ts += self.dice.pick((1, 5, 20, 60, 180)) * SECOND if self.dice.chance(0.985) else DAY
        self.timers(self.ts + 1)
        if self.dice.chance(0.75):
            self.send()

    def close_minute(self, share: float, *, spread: float) -> None:
        """Go on to the end of the minute; a ``share`` of the symbols has a bar there, prices moved by ``spread``."""
        self.ts = (self.ts // MINUTE + 1) * MINUTE
        ended, bars = self.ts, []
        self.ts += self.dice.pick((0, SECOND // 2))
        self.timers(self.ts)
        for symbol in self.engine.listings:
            if self.dice.chance(share):
                price = self.move(symbol, spread)
                bars.append(_bar(symbol, ended, price))
        if bars:
            self.take(Ticks(self.ts, bars))

    def move(self, symbol: str, spread: float) -> float:
        price = round(self.prices[symbol] * self.dice.between(1 - spread, 1 + spread), 2)
        self.prices[symbol] = price
        return price

    def symbol(self) -> str:
        return self.dice.pick(tuple(self.engine.listings))


# --- what may happen --------------------------------------------------------------------------------------------------


def a_minute_closes(world: World) -> None:
    world.close_minute(0.9, spread=0.025)


def a_quote_comes(world: World) -> None:
    symbol = world.symbol()
    price = world.move(symbol, 0.015)
    world.take(Ticks(world.ts, [Quote(symbol, world.ts, price, 1.0, price, 1.0)]))


def the_venue_answers(world: World) -> None:
    world.send()
    if not world.venue.working:
        return
    dice, order = world.dice, world.dice.pick(tuple(world.venue.working.values()))
    y = dice.between(0, 1)
    if (order.is_absent and y < 0.5) or y < 0.1:
        world.report(order, OrderStatus.OPEN)
    elif y < 0.22 and order.is_untouched and not order.approved.intent.reduces:
        world.report(order, OrderStatus.ABSENT)  # the adapter asks again for an exit until it is known
    elif y < 0.3 or (order.is_called_off and y < 0.5):
        world.report(order, dice.pick((OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED)))
    elif y < 0.6:
        step = world.engine.listings[order.approved.intent.symbol].instrument.qty_increment
        qty = floor_to(EXACT.multiply(order.left, decimal_of(round(dice.between(0, 1), 2))), step)
        if 0 < qty < order.left:
            world.report(order, OrderStatus.PARTIALLY_FILLED, qty)
    else:
        world.report(order, OrderStatus.FILLED, order.left)


def an_execution_is_taken_back(world: World) -> None:
    """Tell a bust of an order, ended or not, and half of the time tell it twice."""
    records, sent = world.engine.desk.ledger.orders, world.venue.sent
    executed = [
        (order_id, execution_id)
        for order_id, record in records.items()
        for execution_id, execution in record.executions.items()
        if execution is not None and not execution_id.startswith("x:") and order_id in sent
    ]
    if not executed:
        return
    order_id, execution_id = world.dice.pick(executed)
    for _ in range(world.dice.number(1, 2)):
        report = ExecutionReport(order_id, records[order_id].status, world.ts, reverses=execution_id)
        world.take(Reported(world.ts, report))


def an_operator_speaks(world: World) -> None:
    names = ("", "nobody", *world.engine.desk.sandboxes)
    world.take(Control(world.ts, world.dice.pick(ACTIONS), world.dice.pick(names), "operator"))


def books_and_account_differ(world: World) -> None:
    symbol, dice = world.symbol(), world.dice
    if dice.chance(0.5):
        expected = world.engine.desk.ledger.holdings().get(symbol, ZERO)
        held = EXACT.add(expected, dice.pick((Decimal(-3), Decimal(2), ZERO, Decimal(5))))
        world.take(Mismatched(world.ts, symbol, held, expected, "differs"))
    else:
        world.take(Settled(world.ts, symbol, "operator", dice.pick((ZERO, ZERO, Decimal(1), Decimal(-2)))))


def other_hands_trade(world: World) -> None:
    symbol, dice, ts = world.symbol(), world.dice, world.ts
    if world.foreign and dice.chance(0.3):
        report = ExecutionReport("v1", OrderStatus.FILLED, ts, reverses=dice.pick(world.foreign))
        world.take(ExternalReported(ts, symbol, Side.BUY, report))
        return
    execution_id = dice.pick((f"v{world.venue.execution_id()}", "v0"))  # the second one is told again and again
    qty, price = Decimal(dice.number(1, 9)), decimal_of(world.prices[symbol])
    report = ExecutionReport("v1", OrderStatus.FILLED, ts, execution_id, qty, price)
    world.take(ExternalReported(ts, symbol, dice.pick(tuple(Side)), report))


def a_dividend_is_paid(world: World) -> None:
    amount = decimal_of(round(world.dice.between(-5, 20), 2))
    symbol = world.dice.pick(("", "SPY", "QQQ"))
    world.take(ActivityReported(world.ts, f"a{world.dice.number(0, 6)}", "DIV", symbol, amount))


def a_share_splits(world: World) -> None:
    ratio = world.dice.pick((Decimal(2), Decimal("0.5"), Decimal(3)))
    world.take(Split(world.ts, "SPY", ratio, world.ts - 1000, f"s{world.inputs}"))


def entries_are_held(world: World) -> None:
    if world.dice.chance(0.5):
        world.take(Held(world.ts, "stream", world.dice.pick(((), ("SPY",))), "it is silent"))
    else:
        world.take(Released(world.ts, "stream"))


def an_absent_order_is_given_up(world: World) -> None:
    records = world.engine.desk.ledger.orders.items()
    absent = [order_id for order_id, record in records if record.status is OrderStatus.ABSENT]
    if absent:
        world.take(OrderReleased(world.ts, world.dice.pick(absent), "operator"))


def the_process_ends(world: World) -> None:
    if world.dice.chance(0.2):
        settings = world.settings[0]["settings"]
        settings["cash"] = str(Decimal(settings["cash"]) + world.dice.pick((-100, 500)))
    world.restart()


def days_are_told(world: World) -> None:
    """Tell the last days of some symbols, the newest of them perhaps not over yet; told again, they may be others."""
    dice, bars = world.other_dice, []
    midnight = (world.ts // DAY + dice.pick((0, 0, 1))) * DAY
    for symbol, price in world.prices.items():
        if symbol in world.engine.listings and dice.chance(0.8):
            closes = [price * dice.between(0.97, 1.03) for _ in range(dice.number(1, 40))]
            bars += [_bar(symbol, midnight - age * DAY, close) for age, close in enumerate(closes)][::-1]
    world.take(DailyBars(world.ts, bars))


def an_exception_is_asked_for(world: World) -> None:
    """Ask that one order, mostly the one that was refused last, may pass a rule; agree to it, or to another."""
    dice, conduct = world.other_dice, world.engine.desk.ledger.conduct
    sandbox = dice.pick(world.engine.sandboxes)
    wish = sandbox.spec.name, dice.pick(tuple(sandbox.slots)), dice.pick(tuple(Side))
    rule = dice.pick(("max_order_value", "cooldown", "max_gross"))
    if world.denied is not None and dice.chance(0.7):
        intent, rule = world.denied.intent, world.denied.rule
        wish = intent.strategy, intent.symbol, intent.side
    qty, until = Decimal(dice.pick((0, 5_000, 5_000))), world.ts + dice.pick((50 * MINUTE, 50 * MINUTE, 2 * DAY))
    world.take(OverrideAsked(world.ts, *wish, qty, rule, "a reason", until, "ann (pid 1)"))
    if conduct.overrides_made and dice.chance(0.8):
        number = conduct.overrides_made + dice.pick((0, 0, 0, -1, 1))
        world.take(OverrideAgreed(world.ts, number, dice.pick(("ann (pid 2)", "bob (pid 1)", "bob (pid 1)"))))


# Now and then, after what CHANCES has drawn.
BESIDE: tuple[Callable[[World], None], ...] = (days_are_told, an_exception_is_asked_for)

CHANCES: dict[Callable[[World], None], int] = {  # of a hundred or so
    a_minute_closes: 42,
    a_quote_comes: 4,
    the_venue_answers: 32,
    an_execution_is_taken_back: 2,
    an_operator_speaks: 3,
    books_and_account_differ: 2,
    other_hands_trade: 3,
    a_dividend_is_paid: 1,
    a_share_splits: 1,
    entries_are_held: 2,
    an_absent_order_is_given_up: 2,
    the_process_ends: 4,
}
REWRITES = {an_execution_is_taken_back, a_share_splits}


def flatten_all(world: World) -> None:
    """Free what is held or locked, tell everyone to flatten, and let the venue do what it is asked."""
    if world.dice.chance(0.5):
        world.restart()
    world.take(Released(world.ts, "stream"))
    for symbol in tuple(world.engine.desk.ledger.account.locks):
        world.take(Settled(world.ts, symbol, "operator"))
    world.take(Control(world.ts, "flatten", "", "operator"))
    for number in range(MENDING_ROUNDS):
        world.send()
        for order in tuple(world.venue.working.values()):
            _end(world, order)
        if number == MENDING_ROUNDS // 8 and world.dice.chance(0.5):
            world.restart()
            world.send()
        world.close_minute(1.0, spread=0.0)
        world.timers(world.ts + 3 * SECOND)


def _end(world: World, order: Order) -> None:
    if order.approved.order_id not in world.venue.working:  # ended by what was said of another one
        return
    if order.is_called_off and world.dice.chance(0.5):
        world.report(order, OrderStatus.CANCELED)
    elif world.dice.chance(0.9):
        world.report(order, OrderStatus.FILLED, order.left)
    world.send()


def _bar(symbol: str, ended: int, price: float) -> Bar:
    return Bar(symbol, ended, price, round(price * 1.004, 2), round(price * 0.996, 2), price, 100.0)


def _settings(dice: Dice, number: int) -> dict[str, Any]:
    tickers = dice.pick((("SPY",), ("SPY", "BTC/USD"), ("SPY", "QQQ")))
    settings = {
        "name": f"s{number}",
        "cash": "10000",
        "allow_short": dice.chance(0.5) and "BTC/USD" not in tickers,
        "max_daily_trades": dice.pick((None, 6)),
        "max_daily_loss": dice.pick((None, Decimal(300))),
        "stop_loss": dice.pick((None, Decimal("0.03"))),
        "take_profit": dice.pick((None, Decimal("0.05"))),
        "flatten_on_loss": dice.chance(0.5),
        "flatten_on_error": dice.chance(0.5),
    }
    return {"tickers": tickers, "settings": settings}
