"""May this run trade this account? Asked once, before any stream is opened; a person confirms real money."""

import asyncio
import threading
import time
from collections.abc import Callable

import structlog

from trader.access.alpaca.rest import RestDesk
from trader.books.ledger import Ledger
from trader.errors import ConfigError, CredentialsError, OutcomeUnknown, Refused, Unavailable
from trader.live.access import Access
from trader.live.answers import fetch_clock
from trader.live.clock import MarketClock
from trader.live.guard import (
    KEYS_REFUSED,
    Inspection,
    Reading,
    confirm_live,
    inspect,
    key_problems,
    live_prompt,
    pace_problem,
    reach_remedy,
    refused_keys,
    waiting,
)

log = structlog.get_logger()

MEASURED_OVER_S = 0.1  # real time; an answer takes a few milliseconds of it


async def admit(access: Access, clock: MarketClock, ledger: Ledger) -> None:
    """Check keys, account, capital, tickers and clocks, have real money confirmed, and set the market's time.

    ``ledger`` has recovered, or is empty.

    Raises:
        CredentialsError: the keys are refused, or of the other kind.
        ConfigError: what does not fit this account, all of it at once.
        EdgeError: Alpaca cannot be reached.
    """
    keys, terms = access.credentials, access.terms
    if problems := key_problems(keys, is_live=terms.is_live):
        raise CredentialsError(problems)
    desk = RestDesk(access.endpoints.trading, keys.key_id, keys.secret.get_secret_value())
    try:
        found = await inspect(desk, access.strategies, terms, now=clock.now, ledger=ledger)
        await _confirm(access, found, clock)
        if terms.follows_exchange:
            await _follow(desk, clock)
        else:
            # A clock that is seconds behind would find every bar in the future, one that is ahead every bar too late.
            clock.begin(clock.now() + found.skew_ns)
    except (Unavailable, OutcomeUnknown) as error:
        raise type(error)(
            f"{error}, {access.endpoints.trading}; {reach_remedy(is_loopback=terms.is_loopback)}"
        ) from error
    except Refused as error:
        if error.status not in KEYS_REFUSED:
            raise
        where = access.endpoints.trading
        raise CredentialsError(
            [refused_keys(keys, where, is_live=terms.is_live, is_loopback=terms.is_loopback)]
        ) from error
    finally:
        desk.close()
    for note in found.notes:
        log.warning("account.noted", place=note.path, why=note.message)
    if why := waiting(found.clock, access.strategies):
        log.info("market.closed", why=why)


async def _read(desk: RestDesk) -> Reading:
    answer, skew_ns, doubt_ns = await fetch_clock(desk, time.monotonic_ns)
    return Reading(answer.ts, answer.ts - skew_ns, doubt_ns)


async def _follow(desk: RestDesk, clock: MarketClock) -> None:
    """Begin with the exchange's time, if it runs as fast as ours is to."""
    first = await _read(desk)
    await asyncio.sleep(MEASURED_OVER_S)
    read = await _read(desk)
    if problem := pace_problem(first, read, clock.pace):
        raise ConfigError([problem])
    # Rather a little ahead than behind: a bar must not seem to end in the future.
    clock.begin(read.there + round(2 * read.doubt * clock.pace))


async def _confirm(access: Access, found: Inspection, clock: MarketClock) -> None:
    problems = found.problems
    if access.terms.is_live and not problems:
        typed = None
        if access.yes_live is None and access.ask is not None:
            typed = await _typed(access.ask, live_prompt(found.account, access.strategies), clock)
        problems = confirm_live(found.account, typed=typed, yes_live=access.yes_live)
    if problems:
        raise ConfigError(problems)


async def _typed(ask: Callable[[str], str], question: str, clock: MarketClock) -> str:
    """Ask a person, in a thread that holds nobody up: neither the loop, nor the end of the program."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def run() -> None:
        try:
            typed = ask(question)
        except EOFError:
            typed = ""
        loop.call_soon_threadsafe(_settle, answer, typed)

    threading.Thread(target=run, name="confirmation", daemon=True).start()
    await clock.first_of(answer)
    return answer.result() if answer.done() and not answer.cancelled() else ""


def _settle(answer: asyncio.Future[str], typed: str) -> None:
    if not answer.done():
        answer.set_result(typed)
