"""What is allowed but probably not meant."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from trader.config.bounds import Levels
from trader.config.findings import Finding, problems
from trader.config.parsing import make_strategy
from trader.config.sections import Config, StrategyConfig
from trader.errors import Problem
from trader.model.instruments import instrument_of
from trader.risk.orders import CODES


def advice(config: Config) -> list[Problem]:
    """Return what is allowed but probably not meant, each with its place."""
    found: list[Finding] = []
    if config.broker.simulated.fill == "next_quote":
        found.append((("broker", "simulated", "fill"), "files of bars hold no quotes: a replay of them fills no order"))
    found.extend((("risk", *loc), message) for loc, message in (*_unsorted(config), *_idle(config)))
    for index, settings in enumerate(config.strategies):
        if closed := [ticker for ticker in settings.tickers if not _is_opened(config, settings.name, ticker)]:
            message = f"the risk section lets nobody open {', '.join(closed)} here: see restricted, allowed, authorized"
            found.append((("strategies", index, "tickers"), message))
        found.extend((("strategies", index, *loc), message) for loc, message in _doubts(settings))
    return problems(found)


def _unsorted(config: Config) -> Iterator[Finding]:
    """Yield limits by sector or category where no symbol of the desk is in one: all of it is one, together."""
    risk = config.risk
    traded = {ticker for settings in config.strategies for ticker in settings.tickers}
    for key, names in (("max_sector", risk.sectors), ("max_category", risk.categories)):
        if getattr(risk.account, key) is not None and not any(traded.intersection(one) for one in names.values()):
            where = "sectors" if key == "max_sector" else "categories"
            yield ("account", key), f"risk.{where} has no ticker of these strategies, so all of them count as one"


def _idle(config: Config) -> Iterator[Finding]:
    """Yield what limits nothing, or nothing but what was not meant."""
    risk, traded = config.risk, {ticker for settings in config.strategies for ticker in settings.tickers}
    for name, group in risk.groups.items():
        if name not in risk.ladder.groups and not {*_levels(group)}:
            yield ("groups", name), "limits nothing: it has no limit, and no loss in risk.ladder.groups"
    for symbol, own in risk.symbols.items():
        if symbol not in traded:
            yield ("symbols", symbol), "limits nothing: nobody trades it"
        elif not {*_levels(own)}:
            yield ("symbols", symbol), "limits nothing: it has no limit"
    if risk.regime is not None and risk.regime.symbol not in {None, *traded}:
        yield ("regime", "symbol"), "nobody trades it, so that its days are not known here, and nothing is opened"
    if risk.var.stress and risk.var.max_stress is None:
        yield ("var", "stress"), "limits nothing without max_stress"
    yield from _unfollowed(config)


def _unfollowed(config: Config) -> Iterator[Finding]:
    """Yield what would follow a limit that nobody is held to."""
    known = {*_levels(config.risk)}.union(*(_levels(settings.risk_config) for settings in config.strategies))
    for kind, follows in config.risk.escalation.items():
        for level in sorted(follows.model_fields_set):
            if (kind, level) not in known and getattr(follows, level) is not None:
                yield ("escalation", kind, level), f"nothing follows: no {kind} with a {level} level is set"


def _levels(section: object) -> Iterator[tuple[str, str]]:
    """Yield the rule and the level of every limit in a section."""
    for name, value in section if isinstance(section, BaseModel) else ():
        for one in value.values() if isinstance(value, Mapping) else (value,):
            if isinstance(one, Levels):
                rule = name.removesuffix("_of")
                yield from ((CODES.get(rule, rule), level) for level, figure in one if figure is not None)
            else:
                yield from _levels(one)


def _is_opened(config: Config, strategy: str, ticker: str) -> bool:
    risk = config.risk
    is_allowed = ticker not in risk.restricted and (not risk.allowed or ticker in risk.allowed)
    return is_allowed and ticker in risk.authorized.get(strategy, (ticker,))


def _doubts(settings: StrategyConfig) -> Iterator[Finding]:
    needed = make_strategy(settings).warmup
    if needed > settings.min_warmup_bars:
        yield (
            ("min_warmup_bars",),
            f"{settings.min_warmup_bars} bars, but the strategy needs {needed}: it first decides on bar {needed}",
        )
    risk, cash = settings.risk_config, settings.initial_cash
    share, fitting = risk.max_position_size, int(1 / risk.max_position_size)
    if len(settings.tickers) > max(1, fitting):
        yield (
            ("risk_config", "max_position_size"),
            f"at {share} of equity each, about {fitting} of {len(settings.tickers)} tickers can be held at a time",
        )
    if risk.max_daily_loss is not None and risk.max_daily_loss >= cash:
        yield ("risk_config", "max_daily_loss"), f"${risk.max_daily_loss} is all of the capital, ${cash}"
    for ticker in settings.tickers:
        smallest = instrument_of(ticker).min_notional
        if share * cash < smallest:
            yield ("initial_cash",), f"no order of {ticker} can reach the smallest the venue takes, ${smallest}"
