"""Errors that a desk could have, each one line: the storm has to find every one of them."""

from tests.storm.sabotage import Sabotage

_ALPACA = "trader.access.alpaca."
_SUBMISSION, _TRACKER = f"{_ALPACA}submission:Submission.", f"{_ALPACA}tracker:OrderTracker."
_LEDGER, _TRAFFIC = "trader.books.ledger:Ledger.", "trader.engine.traffic:Traffic."
_EXPOSURE = "trader.risk.exposure:ExposureControls."
_GATE, _RESTRAINTS = "trader.risk.gate:", "trader.engine.restraints:Restraints."

_PROTOCOL = [
    Sabotage(
        "an order is sent again under a new id",
        f"{_SUBMISSION}_post",
        '"client_order_id": tracked.order_id,',
        '"client_order_id": tracked.order_id + "x" * (tracked.order_id in self._doubted),',
    ),
    Sabotage(
        "an unknown outcome is a refusal",
        f"{_SUBMISSION}send",
        "await self.find(tracked)",
        "self._reject(tracked, 'no answer')",
    ),
    Sabotage(
        "the first 404 is proof of absence",
        f"{_SUBMISSION}find",
        "absent >= NOT_FOUND and is_late",
        "absent",
    ),
    Sabotage(
        "what is not found three times is rejected",
        f"{_SUBMISSION}find",
        "absent += not await self._lookups.one(tracked)",
        "absent += not await self._lookups.one(tracked); absent < 3 or self._reject(tracked, 'not there')",
    ),
    Sabotage(
        "an absent order is a rejected one",
        f"{_TRACKER}absent",
        "OrderStatus.ABSENT, now, text",
        "OrderStatus.REJECTED, now, text",
        2000,
    ),
    Sabotage(
        "an entry that turns up late is left alone",
        "trader.engine.desk:Desk._hear_of_absent",
        'self._ask_cancel(record, ts, "it arrived too late")',
        "pass",
        2000,
    ),
    Sabotage(
        "an order of an earlier life is asked about by nobody",
        f"{_ALPACA}broker:AlpacaBroker._confirm",
        "tracked.is_awaited:",
        "False:",
    ),
    Sabotage(
        "commands leave before their events are durable",
        "trader.storm.daemon:Daemon._take",
        "self._steps.append((step.events, step.commands))",
        "self._do(step.commands), self._steps.append((step.events, ()))",
    ),
    Sabotage(
        "what is acknowledged is not on the disk",
        "trader.storm.daemon:Daemon.commit",
        "self._journal.write(records)",
        "self._journal.write(records[:-1])",
    ),
]
_FILLS = [
    Sabotage(
        "all that is read of an order is new",
        f"{_ALPACA}executions:Executions.recover",
        "left = [row for row in left if not _explain(row, free, are_same)]",
        "free = []",
    ),
    Sabotage(
        "the venue's ids of executions are not looked at",
        f"{_ALPACA}executions:Executions.knows",
        "return self._by_id(venue_id) is not None",
        "return False",
    ),
    Sabotage(
        "an earlier life's executions are forgotten",
        f"{_ALPACA}tracked:Tracked.restored",
        "name.startswith(CROSSED)",
        "True",
    ),
    Sabotage(
        "an execution after the order's end is dropped",
        f"{_LEDGER}read",
        "if record is None:",
        "if record is None or record.status in TERMINAL:",
    ),
    Sabotage("a bust is passed over", f"{_TRACKER}_book", "if not old.is_undone:", "if False:"),
    Sabotage("a correction is a bust", f"{_TRACKER}_book", 'if told.kind == "trade_correct":', "if False:"),
    Sabotage("a fee in coins is forgotten", f"{_TRACKER}_fee", "instrument_of(symbol)", "instrument_of('AAA')"),
    Sabotage("what others did is told to nobody", f"{_TRACKER}external", "return reports", "return []"),
    Sabotage(
        "what others did is booked by nobody",
        "trader.engine.account:AccountDesk.take_external",
        "elif report.reverses or",
        "elif True or",
    ),
    Sabotage(
        "a reading begins where the one before ended",
        f"{_ALPACA}restoring:Restoring._happened",
        "self.until - OVERLAP",
        "self.until",
    ),
]
_BOOKS = [
    Sabotage(
        "orders on their way cost nothing",
        "trader.books.book:Book.free_cash",
        "_subtract(self.cash, self.reserved)",
        "self.cash",
    ),
    Sabotage(
        "an absent order costs nothing",
        f"{_LEDGER}_move",
        "record.status = record.status in TERMINAL, status",
        "record.status = record.status in TERMINAL, status; 'ab' in status and self._reserve(record, ZERO)",
        2000,
    ),
    Sabotage(
        "an order that is to be canceled costs nothing",
        f"{_LEDGER}_move",
        "record.status = record.status in TERMINAL, status",
        "record.status = record.status in TERMINAL, status; '_c' in status and self._reserve(record, ZERO)",
    ),
    Sabotage(
        "a snapshot forgets how many orders there were",
        f"{_LEDGER}_restore",
        "self.orders_created, self._ended = state.orders_created, deque(state.ended)",
        "self._ended = deque(state.ended)",
    ),
    Sabotage(
        "a snapshot forgets the orders",
        f"{_LEDGER}_restore",
        "state.account, state.books, state.orders",
        "state.account, state.books, {}",
    ),
    Sabotage(
        "a wish is set without an event",
        "trader.engine.desk:Desk.emit",
        "self.events.append(event)",
        "self.events.extend(() if isinstance(event, TargetSet) else (event,))",
    ),
    Sabotage("an operator's halt is forgotten", f"{_LEDGER}_set_state", "book.state = event.state", "pass"),
    Sabotage("the day's loss is forgotten", f"{_LEDGER}_set_state", "book.loss_reached = True", "pass"),
    Sabotage(
        "a restart begins a new day",
        "trader.engine.engine:Engine._on_rarely",
        "self._days.resume()",
        "self._restraints.start_day(message.ts, self.sandboxes)",
    ),
    Sabotage(
        "an exit that was refused is not asked for again",
        "trader.engine.desk:Desk._end",
        "slot.unsettled = slot.unsettled or is_next or status is not OrderStatus.FILLED",
        "slot.unsettled = slot.unsettled or is_next",
        500,
    ),
]
_DESK = [
    Sabotage(
        "only the buyer's side of a crossing is booked",
        f"{_TRAFFIC}_cross",
        "in (cross.buy_id, cross.sell_id):",
        "in (cross.buy_id,):",
    ),
    Sabotage(
        "what was crossed is sent too",
        f"{_TRAFFIC}_cross",
        "SubmitOrder(approved, EXACT.subtract(approved.intent.qty, rest))",
        "SubmitOrder(approved)",
        beside="trader.access.last_look:_unapproved",
    ),
    Sabotage("a lock is ignored", f"{_TRAFFIC}obstacle", "(lock := locks.get(slot.symbol))", "(lock := None)", 1000),
    Sabotage(
        "a pause lets openings through",
        "trader.risk.basics:_stopped",
        "standing.state is not _ACTIVE",
        "standing.state == 'halted'",
    ),
    Sabotage("a lost day goes on", "trader.risk.basics:_counted_out", "if standing.loss_reached:", "if False:"),
    Sabotage(
        "a halt leaves openings on their way",
        f"{_RESTRAINTS}close_openings",
        'self._desk.withdraw(slot, ts, "no openings any more")',
        "pass",
        500,
    ),
    Sabotage(
        "a word to one strategy is a word to all",
        f"{_RESTRAINTS}control",
        "StateSet(message.ts, name,",
        "StateSet(message.ts, '',",
    ),
    Sabotage("to flatten is to pause", f"{_RESTRAINTS}control", "flatten=is_flattened)", "flatten=False)"),
]

_LIMITS = [
    Sabotage(
        "what is on its way is no exposure",
        "trader.engine.portfolio:Portfolio._reserve",
        "total[number] += qty",
        "pass",
    ),
    Sabotage(
        "what was let pass counts when all is added up again",
        f"{_EXPOSURE}count",
        "add([sums.account], change)",
        "pass",
    ),
    Sabotage(
        "what other hands hold is no exposure",
        "trader.engine.portfolio:Portfolio._count",
        "ledger.account.external.get(symbol, ZERO)",
        "ZERO",
        500,
    ),
    Sabotage(
        "a short sale makes no position larger",
        "trader.risk.sums:Positions.change",
        "low += signed",
        "pass",
    ),
    Sabotage("a hard level is only told of", f"{_GATE}Gate._broken", 'if breach.level == "soft":', "if True:"),
    Sabotage("nobody reads a flag", f"{_GATE}Gate._breaches", "if self._flags and", "if False and"),
    Sabotage(
        "a flag is not kept",
        f"{_LEDGER}_watch",
        "account.flags[flag_key(event.scope, event.kind, event.level)] = event",
        "pass",
    ),
    Sabotage(
        "what a filter took away is given back",
        "trader.engine.openings:Openings.judged",
        "(slot, ruling.intent, ruling.dropped is None)",
        "(slot, proposed[slot], True)",
    ),
    Sabotage(
        "filters do not see what is on its way",
        "trader.engine.portfolio_view:_holding",
        "held + float(portfolio.held_buys[slot.rank])",
        "held",
    ),
    Sabotage(
        "an order of one strategy is none of the account's", "trader.books.conduct:sent", "_note(account.messages, ts)",
        "pass",
        500,
    ),
]  # fmt: skip

SABOTAGES = (*_PROTOCOL, *_FILLS, *_BOOKS, *_DESK, *_LIMITS)
