"""The live loop: one world, one desk, for any number of strategies."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import TextIO

import structlog

from trader.config import BrokerConfig, StrategyConfig, parse
from trader.engine.summary import Summary, summarize
from trader.live import build, summary
from trader.live.narrate import Narrator
from trader.live.options import RunOptions
from trader.live.outputs import Outputs
from trader.live.trades import TradesFile
from trader.model.commands import SubmitOrder
from trader.model.events import OrderFilled
from trader.model.inputs import History, Input, Opened

log = structlog.get_logger()

LIVE = "LIVE"


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
        self._options = options or RunOptions()
        config = parse({"strategies": list(strategies), "broker": broker or BrokerConfig()})
        self._watch = build.Stopwatch()
        access = build.access(self._options, config, api_key=api_key, api_secret=api_secret, is_live=not paper)
        self.engine = build.engine(config, self._watch, access)
        self._world = build.world(self._options, config, self.engine, access)
        self._has_run = False
        self._finished = asyncio.Event()
        self._narrator = Narrator()
        self._out = sys.stdout  # of now: a strategy's print() may be sent elsewhere during the run
        self._trades: TradesFile | None = None

    async def run(self) -> Summary:
        """Trade until the data ends, the duration is over or :meth:`stop` is called; return where everything stands.

        Logs go to standard error, the summary to standard output (see ``RunOptions.report``), also when the task is
        cancelled. A coordinator runs once.

        Raises:
            ConfigError: the export file or the state folder cannot be written.
            EdgeError: the broker is lost for good, or a fill could not be written to the export file.
        """
        if self._has_run:
            raise RuntimeError("this coordinator has run; make a new one")
        self._has_run = True
        try:
            with Outputs(self._options, mode=self._world.mode, now=self._world.clock.now) as outputs:
                if self._options.export_trades:
                    self._trades = TradesFile(self._options.export_trades)
                try:
                    await self._trade()
                finally:
                    self._close(outputs)
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

    async def _trade(self) -> None:
        """Open the world, show the desk what was before its first minute, then what happens as it happens."""
        world = self._world
        log.info(
            "coordinator.started",
            paper=world.mode != LIVE,
            market=world.describe(),
            sandboxes=[build.card_of(sandbox) for sandbox in self.engine.sandboxes],
        )
        try:
            prepared = asyncio.ensure_future(self._prepare())
            await world.clock.first_of(prepared)
            if prepared.cancelled():
                return  # it was asked to end before it began
            prepared.result()
            async with aclosing(world.inputs(self.engine.next_timer)) as inputs:
                async for message in inputs:
                    self._take(message)
        finally:
            await world.close()

    async def _prepare(self) -> None:
        """Open the world and show the desk what was before its first minute."""
        await self._world.open()
        self._take(Opened(self._world.clock.now()))
        async for bars in self._world.history(build.depth_of(self.engine)):
            self._take(History(self._world.clock.now(), bars))

    def _take(self, message: Input) -> None:
        """Give the desk one input, and its commands to the broker."""
        step = self.engine.handle(message)
        for event in step.events:
            self._narrator.narrate(event)
            if self._trades is not None and isinstance(event, OrderFilled):
                self._trades.write(event)
        for command in step.commands:
            if isinstance(command, SubmitOrder):
                self._world.broker.submit(command.approved, command.crossed)
            else:
                self._world.broker.cancel(command.order_id, command.ts)
        for name, symbol, took_ns in self._watch.take():
            log.warning("strategy.slow", strategy=name, symbol=symbol, took_ms=took_ns // 1_000_000)

    def _close(self, outputs: Outputs) -> None:
        """End the run: close the file of fills, show the summary."""
        if self._trades is not None:
            self._trades.close()
        if not self.engine.desk.ledger.books and not self._world.clock.is_stopped:
            return  # it failed before it opened: there is nothing to sum up
        result = summarize(self.engine, self._world.mode)
        log.info("coordinator.stopped", total_pnl=result.total_pnl)
        outputs.flush()
        if self._options.report != "none":
            _print(self._out, summary.as_json(result) if self._options.report == "json" else summary.as_text(result))


def _print(out: TextIO | None, text: str) -> None:
    """Show data on standard output; whoever closed it does not want it, and the log has the total."""
    try:
        if out is None:
            raise OSError("there is none")
        out.write(f"\n{text}\n" if out.isatty() else f"{text}\n")  # a terminal shows ^C on our line
        out.flush()
    except (OSError, ValueError) as error:  # a broken pipe, a full disk; closed
        log.warning("summary.unwritten", why=f"standard output is closed or full ({error})")
