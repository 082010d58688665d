"""The live loop: one world, one desk, for any number of strategies."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, aclosing
from functools import partial
from typing import TextIO

import msgspec
import structlog

from trader import __version__
from trader.config import BrokerConfig, StrategyConfig, parse
from trader.engine.engine import Step
from trader.engine.summary import Summary, summarize
from trader.errors import ConfigError, EdgeError, JournalFull
from trader.live import build, summary
from trader.live.access import Access
from trader.live.desk_view import DeskView
from trader.live.door import Door
from trader.live.narrate import Narrator
from trader.live.options import RunOptions
from trader.live.outputs import Outputs
from trader.live.receipts import Receipts
from trader.live.recorder import Committer, NoJournal, Recorder
from trader.live.recover import Recovered, check, found_in, recover, restrained, settings_of
from trader.live.replay import head_of
from trader.live.state_folder import default_folder
from trader.live.trades import TradesFile
from trader.model.commands import SubmitOrder
from trader.model.events import UNJOURNALED, OrderFilled
from trader.model.inputs import Held, History, Input
from trader.store.journal import Journal
from trader.store.tape import Head, TapeWriter

log = structlog.get_logger()

LIVE = "LIVE"
# An order that ends while the run does may let another one out, an exit that waited for it: that one is waited for too.
SETTLINGS = 3


class MultiTraderCoordinator:
    """Runs many strategies on one shared feed and one broker; ``await run()``, and ``await stop()`` from elsewhere."""

    def __init__(
        self,
        strategies: Sequence[StrategyConfig | Mapping[str, object]],
        api_key: str | None = None,
        api_secret: str | None = None,
        *,
        paper: bool = True,
        broker: BrokerConfig | Mapping[str, object] | None = None,
        options: RunOptions | None = None,
    ) -> None:
        """Check everything that can be checked before the first bar.

        Each strategy is typed, or a dict of the same keys; a dict may hold a ready ``strategy`` object instead of
        ``strategy_type`` and ``strategy_params``.

        With keys, given here or found in the environment, it trades on Alpaca, on paper unless ``paper`` is false;
        without keys, or when ``options`` name a simulated feed, on a simulated market.

        Raises:
            ConfigError: what is wrong with the strategies, the data, the keys or the mode, all of it at once.
        """
        options = options or RunOptions()
        sections = {"broker": broker or BrokerConfig(), "filters": options.filters, "risk": options.risk}
        self._config = parse({"strategies": list(strategies), **sections})
        self._watch = build.Stopwatch()
        self._access = build.access(options, self._config, api_key=api_key, api_secret=api_secret, is_live=not paper)
        self._options = _at_home(options, self._access)
        self.engine = build.engine(self._config, self._watch, self._access)
        self._world = build.world(options, self._config, self.engine, self._access)
        self._has_run = False
        self._finished = asyncio.Event()
        self._narrator = Narrator()
        self._out = sys.stdout  # of now: a strategy's print() may be sent elsewhere during the run
        self._trades: TradesFile | None = None
        self._tape: TapeWriter | None = None
        self._journal: Journal | None = None
        self._recorder: Recorder = NoJournal()
        self._receipts = Receipts(self._take_from_outside)
        self._view: DeskView | None = None
        self._door: Door | None = None

    async def run(self) -> Summary:
        """Trade until the data ends, the duration is over or :meth:`stop` is called; return where everything stands.

        Logs go to standard error, the summary to standard output (see ``RunOptions.report``), also when the task is
        cancelled. A coordinator runs once.

        Raises:
            ConfigError: the export file or the state folder cannot be written, or the books do not fit.
            StoreError: the journal is damaged, or its disk failed.
            EdgeError: the broker is lost for good, or a fill could not be written to the export file.
        """
        if self._has_run:
            raise RuntimeError("this coordinator has run; make a new one")
        self._has_run = True
        try:
            with ExitStack() as stack:
                outputs = self._begin(stack)
                try:
                    await self._trade()
                finally:
                    await self._end(outputs)
        finally:
            self._finished.set()
        return summarize(self.engine, self._world.mode)

    def request_stop(self) -> None:
        """Ask the run to end; it does so after the minute it is in. Callable from the loop's thread only."""
        self._world.clock.stop()

    async def stop(self) -> None:
        """End the run in order and wait until it has; nothing to wait for where none was begun."""
        self.request_stop()
        if self._has_run:
            await self._finished.wait()

    def _begin(self, stack: ExitStack) -> Outputs:
        """Take books, journal, log, export and tape for this run; what ``stack`` is given lets go of them."""
        recovered = self._recover(stack)
        try:
            outputs = stack.enter_context(Outputs(self._options, mode=self._world.mode, now=self._world.clock.now))
            if self._options.export_trades:
                self._trades = TradesFile(self._options.export_trades)
            if self._options.tape is not None:
                self._tape = TapeWriter(self._options.tape, self._head())
        except BaseException:
            if recovered is not None:
                recovered.journal.close()
            raise
        if recovered is not None:
            self._journal = recovered.journal
            self._recorder = Committer(recovered.journal, fail=self._on_lost, full=self._on_full)
        return outputs

    def _recover(self, stack: ExitStack) -> Recovered | None:
        """Take account and books for this process; None where the market is made up."""
        if self._access is None or self._options.broker == "simulated" or self._options.state_dir is None:
            return None
        options = self._options
        recovered = recover(self._options.state_dir, options.journal, self._access, self.engine)
        stack.callback(recovered.lock.release)
        try:
            check(self.engine, accepts_looser=options.accept_looser)
        except ConfigError:
            recovered.journal.close()
            raise
        return recovered

    async def _trade(self) -> None:
        """Open the world, show the desk what was before its first minute, then what happens as it happens."""
        world = self._world
        log.info(
            "coordinator.started",
            paper=world.mode != LIVE,
            market=world.describe(),
            sandboxes=[build.card_of(sandbox) for sandbox in self.engine.sandboxes],
        )
        if (ledger := self.engine.desk.ledger).books:
            log.info("books.recovered", **found_in(ledger))
            for name, state in restrained(self.engine):
                log.warning("state.kept", strategy=name, state=state.value)
        try:
            prepared = asyncio.ensure_future(self._prepare())
            await world.clock.first_of(prepared)
            if prepared.cancelled():
                return  # it was asked to end before it began
            prepared.result()
            await self._go_live()
        finally:
            try:
                await world.close()
            finally:
                if self._door is not None:
                    await self._door.stop()

    async def _prepare(self) -> None:
        """Open the world, let operators in, and show the desk what was before its first minute."""
        opened = await self._world.open(self.engine.desk.ledger)
        self._take(msgspec.structs.replace(opened, settings=settings_of(self.engine), version=__version__))
        if self._options.state_dir is not None:
            self._view = self._sight()
            self._door = Door(self._options.state_dir, self._view, deliver=self._receipts.deliver)
            await self._door.open()
        async for bars in self._world.history(build.depth_of(self.engine)):
            self._take(History(self._world.clock.now(), bars))

    async def _go_live(self) -> None:
        """Take what happens, until the end or a failure; then see what becomes of the orders that are still open."""
        failure: EdgeError | JournalFull | None = None
        try:
            async with aclosing(self._world.inputs(self.engine.next_timer)) as inputs:
                async for message in inputs:
                    self._take(message)
        except (EdgeError, JournalFull) as error:  # one of the edges; what is open may still be canceled by the other
            failure = error
        for _ in range(SETTLINGS):
            await self._recorder.flush()  # what was decided last has left, or never will
            created = self.engine.desk.ledger.orders_created
            async with aclosing(self._world.settle()) as inputs:
                async for message in inputs:
                    self._take(message)
            if self.engine.desk.ledger.orders_created == created:
                break
        if failure is not None:
            raise failure

    def _head(self) -> Head:
        return head_of(
            self._config,
            book_id=self.engine.desk.book_id,
            grace=self.engine.grace,
            is_alpaca=self._access is not None,
            ledger=self.engine.desk.ledger,
        )

    def _sight(self) -> DeskView:
        return DeskView(
            self.engine,
            mode=self._world.mode,
            now=self._world.clock.now,
            account=self._world.account,
            journal=self._journal,
            on_journal=self._recorder.on_journal,
        )

    def _take_from_outside(self, message: Input) -> None:
        """Give the desk an operator's input; where the desk breaks, the run ends, not only the operator's request."""
        try:
            self._take(message)
        except Exception as error:
            self._world.fail(error)
            raise

    def _take(self, message: Input) -> None:
        """Give the desk one input; what it decided is done when what it made true is durable."""
        try:
            step = self.engine.handle(message)
        except Exception:
            if self._tape is not None:
                self._tape.write(message, None)
            raise
        if self._tape is not None:
            self._tape.write(message, step.events)
        if step.events or step.commands or self._receipts.waits_for(message):
            self._record(message, step)
        for name, symbol, took_ns in self._watch.take():
            log.warning("strategy.slow", strategy=name, symbol=symbol, took_ms=took_ns // 1_000_000)

    def _record(self, message: Input, step: Step) -> None:
        """Make a step durable and tell of it; an export that fails at one of its fills loses none of its events."""
        is_told = step.commands or self._receipts.waits_for(message)
        then = partial(self._act, message, step) if is_told else None
        self._recorder.record([event for event in step.events if type(event) not in UNJOURNALED], then)
        if self._view is not None:
            self._view.note(step.events)
        for event in step.events:
            self._narrator.narrate(event)
            if self._trades is not None and isinstance(event, OrderFilled):
                self._trades.write(event)

    def _act(self, message: Input, step: Step) -> None:
        """Do what a step decided, now that its events are durable."""
        for command in step.commands:
            if isinstance(command, SubmitOrder):
                self._world.broker.submit(command.approved, command.crossed)
            else:
                self._world.broker.cancel(command.order_id, command.ts)
        self._receipts.settle(message, step.events)

    def _on_lost(self, error: Exception) -> None:
        self._receipts.fail(error)
        self._world.fail(error)

    def _on_full(self) -> None:
        why = "the journal's disk is full, and its last reserve is in use; make room, then start again"
        log.critical("disk.filled", why=why)
        self._take(Held(self._world.clock.now(), "disk", (), why))

    async def _end(self, outputs: Outputs) -> None:
        """Write what is waiting; then close the files and show the summary, whatever the journal said."""
        try:
            await self._recorder.close()
        finally:
            self._close(outputs)

    def _close(self, outputs: Outputs) -> None:
        if self._trades is not None:
            self._trades.close()
        if self._tape is not None:
            self._tape.close()
        if not self.engine.is_open and not self._world.clock.is_stopped:
            return  # it failed before it opened: there is nothing to sum up
        result = summarize(self.engine, self._world.mode)
        log.info("coordinator.stopped", total_pnl=result.total_pnl)
        outputs.flush()
        if self._options.report != "none":
            _print(self._out, summary.as_json(result) if self._options.report == "json" else summary.as_text(result))


def _at_home(options: RunOptions, access: Access | None) -> RunOptions:
    """Return the options with a state folder, where books are kept and none was named."""
    if access is None or options.broker == "simulated" or options.state_dir is not None:
        return options
    folder = default_folder(os.environ, is_live=access.terms.is_live)
    return msgspec.structs.replace(options, state_dir=folder)


def _print(out: TextIO | None, text: str) -> None:
    """Show data on standard output; whoever closed it does not want it, and the log has the total."""
    try:
        if out is None:
            raise OSError("there is none")
        out.write(f"\n{text}\n" if out.isatty() else f"{text}\n")  # a terminal shows ^C on our line
        out.flush()
    except (OSError, ValueError) as error:  # a broken pipe, a full disk; closed
        log.warning("summary.unwritten", why=f"standard output is closed or full ({error})")
