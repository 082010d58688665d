"""The live loop: one feed, one desk, one broker, for any number of strategies."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import TextIO

import structlog

from trader.config import BrokerConfig, StrategyConfig, parse
from trader.engine.engine import Step
from trader.engine.summary import Summary, summarize
from trader.errors import ConfigError
from trader.live import build, summary
from trader.live.clock import MarketClock, paced
from trader.live.narrate import Narrator
from trader.live.outputs import Outputs
from trader.live.trades import TradesFile
from trader.model.commands import SubmitOrder
from trader.model.events import OrderFilled
from trader.model.inputs import History, Input, Opened, Reported, Ticks

log = structlog.get_logger()

MODE = "SIM"


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
        options: build.RunOptions | None = None,
    ) -> None:
        """Check everything that can be checked before the first bar.

        Each strategy is typed, or a dict of the same keys; a dict may hold a ready ``strategy`` object instead of
        ``strategy_type`` and ``strategy_params``.

        Raises:
            ConfigError: what is wrong with the strategies, the data or the mode, all of it at once.
        """
        if not paper:
            raise ConfigError(build.NO_LIVE)
        self._has_keys = bool(api_key or api_secret)
        self._options = options or build.RunOptions()
        config = parse({"strategies": list(strategies), "broker": broker or BrokerConfig()})
        self._watch = build.Stopwatch()
        self.engine = build.engine(config, self._watch)
        self._broker = build.exchange(config.broker, self.engine)
        self._feed = build.feed(self._options, config.broker, tuple(self.engine.listings))
        self._clock: MarketClock | None = None
        self._is_stopping = False
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
            EdgeError: a fill could not be written to the export file.
        """
        if self._clock is not None:
            raise RuntimeError("this coordinator has run; make a new one")
        clock = self._clock = MarketClock(self._feed.start, self._options.speed)
        if self._is_stopping:
            clock.stop()
        try:
            with Outputs(self._options, mode=MODE, now=clock.now) as outputs:
                if self._options.export_trades:
                    self._trades = TradesFile(self._options.export_trades)
                self._announce()
                self._take(Opened(self._feed.start))
                try:
                    await self._learn(clock)
                    clock.begin()
                    await self._trade(clock)
                finally:
                    self._close(outputs)
        finally:
            self._finished.set()
        return summarize(self.engine, MODE)

    def request_stop(self) -> None:
        """Ask the run to end; it does so after the minute it is in. Callable from the loop's thread only."""
        self._is_stopping = True
        if self._clock is not None:
            self._clock.stop()

    async def stop(self) -> None:
        """End the run in order and wait until it has; nothing to wait for where none was begun."""
        self.request_stop()
        if self._clock is not None:
            await self._finished.wait()

    async def _learn(self, clock: MarketClock) -> None:
        """Show the desk what was before its first minute."""
        for bars in self._feed.history(build.depth_of(self.engine)):
            if clock.is_stopped:
                return
            self._take(History(self._feed.start, bars))
            await clock.breathe()

    async def _trade(self, clock: MarketClock) -> None:
        """Hand over what happens, in the order it happens."""
        async with aclosing(paced(self._feed, clock, wake=self.engine.next_timer, end=self._end(clock))) as happenings:
            async for message in happenings:
                if isinstance(message, Ticks):
                    self._broker.observe(message.ticks)
                    self._settle(message.ts)
                self._take(message)

    def _pace(self) -> str:
        speed = self._options.speed
        return "as fast as possible" if speed is None else f"at {speed:g}x real time"

    def _end(self, clock: MarketClock) -> int:
        duration = self._options.duration
        return sys.maxsize if duration is None else self._feed.start + round(duration * clock.pace)

    def _take(self, message: Input) -> None:
        """Give the desk one input, its commands to the broker, and the broker's answers back to the desk."""
        self._carry_out(self.engine.handle(message))
        self._settle(message.ts)

    def _settle(self, ts: int) -> None:
        while reports := self._broker.reports():
            for report in reports:
                self._carry_out(self.engine.handle(Reported(ts, report)))

    def _carry_out(self, step: Step) -> None:
        for event in step.events:
            self._narrator.narrate(event)
            if self._trades is not None and isinstance(event, OrderFilled):
                self._trades.write(event)
        for command in step.commands:
            if isinstance(command, SubmitOrder):
                self._broker.submit(command.approved)
            else:
                self._broker.cancel(command.order_id, command.ts)
        for name, symbol, took_ns in self._watch.take():
            log.warning("strategy.slow", strategy=name, symbol=symbol, took_ms=took_ns // 1_000_000)

    def _announce(self) -> None:
        log.info(
            "coordinator.started",
            paper=True,
            market=f"{self._feed.describe()}, {self._pace()}",
            sandboxes=[build.card_of(sandbox) for sandbox in self.engine.sandboxes],
        )
        if self._has_keys:
            log.warning("keys.unused", why="this version trades the simulated market; Alpaca comes with its adapter")
        if self._feed.missing:
            log.warning("data.missing", symbols=" ".join(self._feed.missing), why="no bar of these in the data")

    def _close(self, outputs: Outputs) -> None:
        """End the run: close the file of fills, say what the feed refused, show the summary."""
        if self._trades is not None:
            self._trades.close()
        if skipped := {reason: count for reason, count in self._feed.skipped.items() if count}:
            log.warning("rows.skipped", **skipped)
        result = summarize(self.engine, MODE)
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
