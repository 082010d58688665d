"""The account guard: what must be true of keys, account, capital, tickers and clocks before an order can leave.

Pure checks over answers of Alpaca, each of which returns everything it finds as a Problem that says what to do next,
and :func:`inspect`, which fetches those answers and applies all checks. A field that Alpaca leaves out is no problem:
fields come and go there, and what is not allowed is refused again when it is tried.
Source: Alpaca, "Trading API" (OpenAPI 2.0.1): Account, Assets, Clock.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from trader.access.alpaca.wire_trading import OrderMessage
from trader.books.ledger import Ledger
from trader.config import StrategyConfig
from trader.config.credentials import Credentials
from trader.config.endpoints import TRADING_NAME
from trader.config.findings import place, show
from trader.errors import Problem
from trader.live.answers import (
    Account,
    Asset,
    Clock,
    Reads,
    fetch_account,
    fetch_assets,
    fetch_clock,
    fetch_open_orders,
    fetch_positions,
)
from trader.model.money import EXACT, ZERO, plain
from trader.model.time import DAY, MINUTE, SECOND, utc
from trader.registry import did_you_mean

# A machine that keeps time by NTP is within milliseconds. Two seconds already make "is this bar late?" a guess; at half
# a minute sessions begin and end at the wrong moment, so that nothing is started.
SKEW_TOLD_NS = 2 * SECOND
SKEW_REFUSED_NS = 30 * SECOND
PACE_TOLERANCE_FRAC = 0.1  # who mistypes a speed is farther off
KEYS_REFUSED = frozenset({401, 403})  # answers to the first request that mean its keys
SHORTING_EQUITY_USD = 2000  # Alpaca: margin and short sales need as much

_ACTIVE = "ACTIVE"
_REMEDIES = {
    "PAPER_ONLY": "it may trade on paper only; leave out --live",
    "ACCOUNT_UPDATED": "its data are being changed; try again when Alpaca has approved the change",
    "ACTION_REQUIRED": "log in at app.alpaca.markets and do what it asks for",
    "ACCOUNT_CLOSED": "use the keys of an open account",
    "ACCOUNT_CLOSED_PENDING": "use the keys of an open account",
}
_OTHER_REMEDY = "log in at app.alpaca.markets to see what is missing"


class Terms(Struct, frozen=True, kw_only=True):
    """What a run is to be: ``follows_exchange`` when its time is a local exchange's (``--speed``), not the wall's."""

    is_live: bool
    allow_overallocation: bool = False
    is_loopback: bool = False
    follows_exchange: bool = False


class Reading(NamedTuple):
    """A clock elsewhere, read at a moment of ours; the moment may be wrong by ``doubt`` (all ns)."""

    there: int
    here: int
    doubt: int


class Inspection(Struct, frozen=True):
    """What was found: nothing may start while there are ``problems``; ``notes`` are told and let pass."""

    account: Account
    clock: Clock
    skew_ns: int
    problems: list[Problem]
    notes: list[Problem]


async def inspect(
    reads: Reads,
    strategies: Sequence[StrategyConfig],
    terms: Terms,
    *,
    now: Callable[[], int],
    ledger: Ledger | None = None,
) -> Inspection:
    """Ask for account, clock, assets and what is held, and apply every check; ``now`` is the wall clock (ns UTC).

    ``ledger`` has recovered, or is empty: then all that the account holds is nobody's.

    Raises:
        EdgeError: Alpaca does not answer (Unavailable), refuses the keys (Refused, status 401 or 403), or answers what
            cannot be read (WireError).
    """
    ledger = ledger or Ledger()
    account = await fetch_account(reads)
    clock, skew_ns, doubt_ns = await fetch_clock(reads, now)
    tickers = {ticker for settings in strategies for ticker in settings.tickers}
    assets = await fetch_assets(reads, tickers)
    problems = [
        *account_problems(account, strategies, is_live=terms.is_live),
        *book_problems(account, ledger),
        *capital_problems(account, strategies, allow_overallocation=terms.allow_overallocation, ledger=ledger),
        *ticker_problems(strategies, assets),
    ]
    held = await fetch_positions(reads, {ticker for ticker in tickers if "/" in ticker})
    orders = await fetch_open_orders(reads)
    if ledger.books:  # what was found when they began is in them
        held, own = {}, f"{ledger.account.book_id}."
        orders = [order for order in orders if not order.client_order_id.startswith(own)]
    notes = ownerless(held, orders)
    if not terms.follows_exchange and (found := skew_problem(skew_ns, doubt_ns, is_loopback=terms.is_loopback)):
        (problems if abs(skew_ns) - doubt_ns > SKEW_REFUSED_NS else notes).append(found)
    return Inspection(account, clock, skew_ns, problems, notes)


def reach_remedy(*, is_loopback: bool) -> str:
    """Say what to do when nobody answers."""
    if is_loopback:
        return f"start `trader exchange` there, or unset {TRADING_NAME} and its like"
    return "check network, proxy and firewall; status.alpaca.markets tells of outages"


def key_problems(credentials: Credentials, *, is_live: bool) -> list[Problem]:
    """Tell whether the key is of the other kind than the mode, as its first letters say; ask before any request."""
    given = "paper" if is_live else "live"
    if credentials.kind != given:
        return []
    remedy = (
        "make a key of the live account, or leave out --live"
        if is_live
        else "use a key of the paper account (its id begins with PK), or add --live to trade real money"
    )
    mode = "--live was given" if is_live else "this is paper trading"
    message = f"{credentials.masked} (from the {credentials.origin}) is a {given} key, but {mode}; {remedy}"
    return [Problem("credentials", message)]


def refused_keys(credentials: Credentials, address: str, *, is_live: bool, is_loopback: bool) -> Problem:
    """Say what to look at when the keys were refused (HTTP 401 or 403)."""
    prefix, account = ("AK", "live") if is_live else ("PK", "paper")
    remedy = (
        "it is not one of this exchange's keys, which `trader exchange --env` prints"
        if is_loopback
        else "check that id and secret belong together and are whole, that the key is of the"
        f" {account} account (its id begins with {prefix}), and that it still exists: resetting"
        " a paper account deletes its keys"
    )
    return Problem("credentials", f"{address} refused {credentials.masked} (from the {credentials.origin}); {remedy}")


def account_problems(account: Account, strategies: Sequence[StrategyConfig], *, is_live: bool) -> list[Problem]:
    """Return what keeps the account from trading these strategies."""
    return [
        *(Problem("account", message) for message in _blocks(account, strategies, is_live=is_live)),
        *_shorting_problems(account, strategies),
    ]


def book_problems(account: Account, ledger: Ledger) -> list[Problem]:
    """Return a problem when the books are of another account than the one that the keys open."""
    number = ledger.account.number
    if not number or not account.account_number or number == account.account_number:
        return []
    message = (
        f"are of the account that ends in {number[-3:]}, and these keys open {account.number_end}; use that account's"
        " keys, or keep the books of this one in a folder of their own (--state-dir)"
    )
    return [Problem("books", message)]


def capital_problems(
    account: Account, strategies: Sequence[StrategyConfig], *, allow_overallocation: bool, ledger: Ledger | None = None
) -> list[Problem]:
    """Return a problem when the capital to be given to strategies is more than the account has left."""
    books = {} if ledger is None else ledger.books
    total, equity = ZERO, account.equity
    for settings in strategies:
        book = books.get(settings.name)
        had = ZERO if book is None else book.opening_cash
        total = EXACT.add(total, max(ZERO, EXACT.subtract(settings.initial_cash, had)))
    for book in books.values():
        worth = EXACT.add(book.opening_cash, EXACT.add(book.realized, book.income))
        equity = None if equity is None else EXACT.subtract(equity, worth)
    if books and not total:
        return []  # nobody is given more; what was lost since is no reason to stay away
    if equity is None or total <= equity or allow_overallocation:
        return []
    asked = (
        f"the capital they would newly get is ${total:,.2f}" if books else f"their capital together is ${total:,.2f}"
    )
    left = "equity beyond what these books have" if books else "equity"
    message = (
        f"{asked}, but the account's {left} is ${equity:,.2f}; lower initial_cash by"
        f" ${EXACT.subtract(total, equity):,.2f} in all, or insist with --allow-overallocation"
    )
    return [Problem("strategies", message)]


def ticker_problems(strategies: Sequence[StrategyConfig], assets: Mapping[str, Asset | None]) -> list[Problem]:
    """Return what keeps a ticker from being traded as its strategy wants; None in ``assets`` is one nobody knows."""
    known = [symbol for symbol, asset in assets.items() if asset]
    found: list[Problem] = []
    for index, settings in enumerate(strategies):
        for number, ticker in enumerate(settings.tickers):
            asset = assets[ticker]
            messages = _doubts(settings, asset, ticker) if asset else [_unknown(ticker, known)]
            found.extend(Problem(place(("strategies", index, "tickers", number)), message) for message in messages)
    return found


def skew_problem(skew_ns: int, doubt_ns: int, *, is_loopback: bool) -> Problem | None:
    """Say when our clock is not the venue's: ``skew_ns`` is theirs minus ours, ``doubt_ns`` half the round trip."""
    if abs(skew_ns) - doubt_ns <= SKEW_TOLD_NS:
        return None
    if is_loopback:
        remedy = "it has a time of its own; add --speed N to follow it, N as the exchange was given (1 is real time)"
    else:
        remedy = "set this machine's clock (timedatectl set-ntp true), then start again"
    way = "behind" if skew_ns > 0 else "ahead of"
    return Problem("clock", f"this machine is {_span(abs(skew_ns))} {way} the venue's clock; {remedy}")


def pace_problem(first: Reading, second: Reading, speed: float) -> Problem | None:
    """Return a problem when a local exchange's time runs at another speed than the one that was given."""
    elapsed_ns = second.here - first.here
    observed = (second.there - first.there) / elapsed_ns
    doubt_frac = (first.doubt + second.doubt) / elapsed_ns
    if abs(observed - speed) <= speed * (PACE_TOLERANCE_FRAC + doubt_frac) + observed * doubt_frac:
        return None
    message = (
        f"the exchange's time runs about {observed:.3g} times as fast as this machine's, not {speed:g} times; give the"
        " same --speed to `trader exchange` and `trader run`"
    )
    return Problem("--speed", message)


def ownerless(held: Mapping[str, Decimal], orders: Sequence[OrderMessage]) -> list[Problem]:
    """Tell what is in the account before the first order of any strategy: it is nobody's here."""
    notes = []
    if held:
        names = ", ".join(f"{plain(qty)} {symbol}" for symbol, qty in sorted(held.items()))
        message = (
            f"the account already holds {names}; no strategy owns that, so none of them counts, sells or protects it;"
            " close it at app.alpaca.markets if it should not stay"
        )
        notes.append(Problem("positions", message))
    if orders:
        names = ", ".join(sorted({order.symbol or "?" for order in orders}))
        message = (
            f"the account already has {len(orders)} open order{'s' if len(orders) > 1 else ''} ({names}); no strategy"
            " owns them, they may fill at any time and can keep ours from being accepted; cancel them at"
            " app.alpaca.markets if they should not stay"
        )
        notes.append(Problem("orders", message))
    return notes


def waiting(clock: Clock, strategies: Sequence[StrategyConfig]) -> str:
    """Say who waits for the stock market to open; empty when nobody has to."""
    tickers = sorted({ticker for settings in strategies for ticker in settings.tickers})
    stocks = [ticker for ticker in tickers if "/" not in ticker]
    if clock.is_open or not stocks:
        return ""
    pairs = [ticker for ticker in tickers if "/" in ticker]
    opens = f"opens on {utc(clock.next_open):%A %Y-%m-%d %H:%M} UTC, in {_span(clock.next_open - clock.ts)}"
    return f"the stock market {opens}; until then {', '.join(stocks)} wait" + (
        f", {', '.join(pairs)} trade now" if pairs else ""
    )


def live_prompt(account: Account, strategies: Sequence[StrategyConfig]) -> str:
    """Return the question whose answer :func:`confirm_live` takes; the number is asked for, so it is not shown."""
    names = f"{len(strategies)} {'strategy' if len(strategies) == 1 else 'strategies'}"
    equity = f"${account.equity:,.2f}" if account.equity is not None else "unknown"
    return (
        f"LIVE: {names} will trade REAL MONEY in the account that ends in {account.number_end} (equity {equity}).\n"
        "Type its whole account number to go on, anything else to stop: "
    )


def confirm_live(account: Account, *, typed: str | None, yes_live: str | None) -> list[Problem]:
    """Return no problem only when the account's number was given, typed at the prompt or with ``--yes-live``.

    Both None: there was no terminal to ask at.
    """
    given, way = (yes_live, "--yes-live") if yes_live is not None else (typed, "what was typed")
    if given is None:
        message = (
            "needs a confirmation, and there is no terminal to ask at; add --yes-live NUMBER, the account's number"
        )
        return [Problem("--live", message)]
    if account.account_number and given.strip() == account.account_number:
        return []
    message = (
        f"{way}, {show(given.strip())}, is not the number of the account that the keys open (it ends in"
        f" {account.number_end}); nothing was started. app.alpaca.markets shows the number at the top"
    )
    return [Problem("--live", message)]


def _span(ns: int) -> str:
    if ns < 2 * MINUTE:
        return f"{ns / SECOND:.1f} s"
    return f"{utc(ns).replace(microsecond=0) - utc(0)} h" if ns < 2 * DAY else f"{ns // DAY} days"


def _blocks(account: Account, strategies: Sequence[StrategyConfig], *, is_live: bool) -> Iterator[str]:
    good = {_ACTIVE} if is_live else {_ACTIVE, "PAPER_ONLY"}
    if account.status.upper() not in good:
        yield f"is {account.status}, not {_ACTIVE}; {_REMEDIES.get(account.status.upper(), _OTHER_REMEDY)}"
    if account.account_blocked:
        yield "is blocked by Alpaca (account_blocked); ask its support why"
    if account.trading_blocked:
        yield "may not trade (trading_blocked); ask Alpaca's support why"
    if account.trade_suspended_by_user:
        yield "has trading suspended by its owner (suspend_trade); allow it again in the account's settings at Alpaca"
    if account.currency not in {None, "USD"}:
        yield f"is kept in {account.currency}, and the books are kept in dollars; use an account in USD"
    pairs = sorted({ticker for settings in strategies for ticker in settings.tickers if "/" in ticker})
    if pairs and account.crypto_status and account.crypto_status.upper() != _ACTIVE:
        yield (
            f"may not trade crypto (crypto_status {account.crypto_status}); enable crypto at app.alpaca.markets,"
            f" or take out {', '.join(pairs)}"
        )
    if account.equity is None:
        yield "has no readable equity, so that capital cannot be checked; try again later"


def _shorting_problems(account: Account, strategies: Sequence[StrategyConfig]) -> Iterator[Problem]:
    if account.shorting_enabled is not False:
        return
    for index, settings in enumerate(strategies):
        if settings.allow_short:
            yield Problem(
                place(("strategies", index, "allow_short")),
                "must be false: the account may not sell short; Alpaca asks for shorting to be enabled in its settings"
                f" and for ${SHORTING_EQUITY_USD:,} of equity",
            )


def _doubts(settings: StrategyConfig, asset: Asset, ticker: str) -> Iterator[str]:
    if asset.symbol != ticker:
        yield f"{ticker!r} is {asset.symbol!r} at Alpaca; write it so"
    if not asset.tradable or asset.status not in {None, "active"}:
        yield f"{ticker} is not traded at Alpaca ({asset.status or 'status unknown'}, tradable: false); take it out"
    if settings.allow_short and (asset.shortable is False or asset.is_hard_to_borrow):
        why = "not shortable" if asset.shortable is False else "hard to borrow"
        yield f"{ticker} cannot be sold short now ({why}); set allow_short to false, or take it out"
    if settings.fractionable and asset.fractionable is False and "/" not in ticker:
        yield f"{ticker} is traded in whole shares only; set fractionable to false in {settings.name!r}"


def _unknown(ticker: str, known: Sequence[str]) -> str:
    pair = pair_meant(ticker)
    hint = f"; did you mean {pair!r}?" if pair else did_you_mean(ticker, known)
    return f"Alpaca knows no {ticker!r}{hint or '; correct it, or take it out'}"


def pair_meant(symbol: str) -> str:
    """Return the crypto pair that ``BTCUSD``, ``BTC-USD`` or ``btc/usd`` means; empty when it looks like none."""
    letters = "".join(character for character in symbol.upper() if character.isalnum())
    for money in ("USDT", "USDC", "USD"):
        base = letters.removesuffix(money)
        if base != letters and len(base) > 1 and symbol != f"{base}/{money}":
            return f"{base}/{money}"
    return ""
