"""How a desk begins: every ticker connected with its symbol; with new books, or where recovered ones end."""

from collections.abc import Sequence

from trader.engine.desk import Desk
from trader.engine.market import WINDOW_BARS, Listing, Series
from trader.engine.sandbox import Sandbox, Slot
from trader.model.events import BooksCreated, CapitalChanged, SandboxOpened, SessionStarted
from trader.model.inputs import Opened
from trader.model.money import EXACT, ZERO
from trader.model.time import MINUTE
from trader.risk.conduct import ConductControls
from trader.risk.gate import Gate
from trader.risk.rules import Rules
from trader.risk.value_at_risk import TailControl, TailModel

# A wish to enter that was still waiting when a process ended is worth this long; an exit is worth any time.
ENTRY_FRESH = 10 * MINUTE


def wire(sandboxes: Sequence[Sandbox]) -> dict[str, Listing]:
    """Connect every sandbox's tickers to one listing per symbol and one series per symbol and bar size."""
    listings: dict[str, Listing] = {}
    series_of: dict[tuple[str, int], Series] = {}
    capacity: dict[tuple[str, int], int] = {}
    pairs = [(sandbox, instrument) for sandbox in sandboxes for instrument in sandbox.spec.instruments]
    for sandbox, instrument in pairs:
        key = instrument.symbol, sandbox.spec.bar_minutes
        capacity[key] = max(capacity.get(key, WINDOW_BARS), sandbox.spec.warm_at)
    for rank, (sandbox, instrument) in enumerate(pairs):
        listing = listings.setdefault(instrument.symbol, Listing(instrument))
        key = instrument.symbol, sandbox.spec.bar_minutes
        if key not in series_of:
            series_of[key] = Series(key[1], capacity[key])
            listing.series.append(series_of[key])
        slot = Slot(sandbox, instrument, listing=listing, series=series_of[key], rank=rank)
        sandbox.slots[instrument.symbol] = slot
        listing.slots.append(slot)
        slot.series.cold.append(slot)
    return listings


def open_books(desk: Desk, message: Opened, rules: Rules) -> None:
    """Open every book with its capital, or go on with it where it was left."""
    ts, ledger = message.ts, desk.ledger
    if not ledger.account.book_id:
        _create(desk, message)
    desk.book_id = ledger.account.book_id
    slots = [slot for sandbox in desk.sandboxes.values() for slot in sandbox.slots.values()]
    for sandbox in desk.sandboxes.values():
        name, cash = sandbox.spec.name, sandbox.spec.cash
        if name not in ledger.books:
            desk.emit(SandboxOpened(ts, name, cash))
        elif moved := EXACT.subtract(cash, ledger.books[name].opening_cash):
            desk.emit(CapitalChanged(ts, name, moved))
        sandbox.book, sandbox.account = ledger.books[name], ledger.account
        desk.watch(sandbox)
    limits = {name: sandbox.spec.limits for name, sandbox in desk.sandboxes.items()}
    conduct = ConductControls(rules.conduct, ledger.conduct, desk.portfolio)
    desk.tails = TailControl(_tail_model(slots, rules))
    desk.gate = Gate(
        rules, limits, exposures=desk.portfolio, flags=ledger.account.flags, conduct=conduct, tails=desk.tails
    )
    desk.traffic.resume(slots)
    for slot in slots:
        _resume(desk, slot, ts)
    desk.emit(SessionStarted(ts, ledger.digest(), message.settings, message.version))


def _tail_model(slots: Sequence[Slot], rules: Rules) -> TailModel:
    listings = {slot.symbol: slot.listing for slot in slots}  # in the order of the exposures
    histories = {symbol: listing.dailies for symbol, listing in listings.items()}
    classes = {symbol: listing.instrument.asset_class for symbol, listing in listings.items()}
    return TailModel(histories, classes, rules.var)


def _create(desk: Desk, message: Opened) -> None:
    capital = ZERO
    for sandbox in desk.sandboxes.values():
        capital = EXACT.add(capital, sandbox.spec.cash)
    cash = capital if message.cash is None else message.cash
    desk.emit(BooksCreated(message.ts, desk.book_id, message.account, cash, dict(message.positions)))


def _resume(desk: Desk, slot: Slot, ts: int) -> None:
    """Connect a ticker with what the books say of it: position and wish."""
    slot.position = slot.sandbox.book.position(slot.symbol)
    desk.refresh(slot)
    _recall(slot, ts)


def _recall(slot: Slot, ts: int) -> None:
    """Take up a ticker's wish again; one to enter is left alone when it is old: its price is of another time."""
    wish, order = slot.sandbox.book.targets.get(slot.symbol), slot.order
    if wish is None:
        sent = order or slot.absent
        entering = 0 if sent is None or sent.approved.intent.reduces else sent.approved.intent.side.sign
        slot.target = float(entering or (slot.held > 0) - (slot.held < 0))
        return
    slot.target, slot.reason = wish.fraction, wish.reason
    is_any = slot.held != 0 or order is not None or slot.absent is not None
    slot.is_leaving = wish.is_leaving and is_any and slot.held * slot.target <= 0
    if order is None:
        is_due = slot.held != 0 or ts - wish.ts <= ENTRY_FRESH
        slot.unsettled = is_due and slot.held * slot.target <= 0 and (slot.held, slot.target) != (0, 0)
    elif order.approved.intent.reduces:
        slot.unsettled = slot.target != 0
    else:
        slot.unsettled = slot.target * order.approved.intent.side.sign <= 0
