"""From data to settings: the one door, for files and programs alike."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trader.config.fields import floats
from trader.config.files import read, shown
from trader.config.filter_sections import filter_findings
from trader.config.findings import Finding, Loc, explain, explain_call, place, problems, show, unfit
from trader.config.risk_conflicts import conflicts
from trader.config.risk_sections import RiskSection
from trader.config.sections import MAX_WARMUP_BARS, Config, StrategyConfig
from trader.errors import ConfigError
from trader.registry import Registry
from trader.strategies import STRATEGIES, Strategy

STRATEGY_TYPES = Registry("strategy", "trader.strategies", STRATEGIES)


def load(path: Path) -> Config:
    """Read a settings file: TOML where the suffix is ``.toml``, else JSON.

    Raises:
        ConfigError: it cannot be read, or what it says cannot be run.
    """
    return parse(read(path), source=shown(path))


def parse(data: Mapping[str, object], *, source: str = "") -> Config:
    """Check settings given as an object of the form of the file; ``source`` names them in the error.

    Sections may be typed already, and a strategy may be a ready object under ``strategy``.

    Raises:
        ConfigError: everything that is wrong, at once.
    """
    findings: list[Finding] = []
    config = None
    try:
        findings.extend([*unfit(data), *_cross_findings(data)])
        config = Config.model_validate(data)
        findings.extend(conflicts(config.risk, {one.name: one.risk_config for one in config.strategies}))
    except ValidationError as error:
        findings.extend(explain(error, Config))
    except RecursionError:
        findings.append(((), "nested too deeply"))
    if config is None or findings:
        raise ConfigError(problems(findings), source=source)
    return config


def make_strategy(settings: StrategyConfig) -> Strategy:
    """Return a new strategy with empty memory, or the ready object that the settings hold.

    Raises:
        ConfigError: type or parameters are wrong, which :func:`parse` has ruled out.
    """
    if settings.strategy is not None:
        return settings.strategy
    made, findings = _try_strategy(settings.strategy_type, settings.strategy_params)
    if made is None:
        raise ConfigError(problems(findings), source=f"strategy {settings.name!r}")
    return made


def _cross_findings(data: object) -> Iterator[Finding]:
    """Yield what shows only by looking at several fields, or at code; the fields themselves may be wrong as well."""
    entries = data.get("strategies") if isinstance(data, Mapping) else None
    common = data.get("filters") if isinstance(data, Mapping) else None
    categories = _categories_of(data.get("risk") if isinstance(data, Mapping) else None)
    yield from ((("filters", *loc), message) for loc, message in filter_findings(common, categories))
    first_named: dict[str, int] = {}
    for index, entry in enumerate(entries if isinstance(entries, list | tuple) else ()):
        if not isinstance(entry, Mapping | StrategyConfig):
            continue
        values = dict(entry)
        name = values.get("name")
        if isinstance(name, str) and (first := first_named.setdefault(name, index)) != index:
            message = f"must be unique, but {place(('strategies', first))} is named {show(name)} too"
            yield ("strategies", index, "name"), message
        yield from ((("strategies", index, *loc), message) for loc, message in _type_findings(values))
        chain = filter_findings(values.get("filters"), categories)
        yield from ((("strategies", index, "filters", *loc), message) for loc, message in chain)


def _categories_of(risk: object) -> Mapping[str, tuple[str, ...]]:
    """Return the symbols by category that the risk section names, as far as it can be read."""
    try:
        return RiskSection.model_validate(risk or {}).categories
    except ValidationError:
        return {}  # it is wrong itself, which is said elsewhere


def _type_findings(values: Mapping[str, object]) -> Iterator[Finding]:
    kind, params = values.get("strategy_type", ""), values.get("strategy_params", {})
    if isinstance(values.get("strategy"), Strategy):
        if kind or params:
            yield ("strategy",), "takes the place of strategy_type and strategy_params; leave them out"
    elif kind == "":
        yield ("strategy_type",), f"required, but missing; one of {STRATEGY_TYPES.allowed()}"
    elif isinstance(kind, str):
        yield from _try_strategy(kind, params if isinstance(params, Mapping) else {})[1]


def _try_strategy(kind: str, params: Mapping[str, object]) -> tuple[Strategy | None, list[Finding]]:
    """Make a strategy, or say at ``strategy_type`` or ``strategy_params`` why that is impossible."""
    at_type: Loc = ("strategy_type",)
    try:
        cls = STRATEGY_TYPES.load(kind)
    except ConfigError as error:
        return None, [(at_type, str(error))]
    if not issubclass(cls, Strategy):
        return None, [(at_type, f"{kind} is not a strategy: it must be a subclass of trader.strategies.Strategy")]
    plain_params: Any = floats(params)
    try:
        made = cls(**plain_params)
        needed: Any = made.warmup  # whatever the class says
    except ValidationError as error:
        return None, [(("strategy_params", *loc), message) for loc, message in explain_call(error, cls)]
    except Exception as error:  # noqa: BLE001 -- a person's own class may raise anything
        return None, [(at_type, f"{kind} cannot be made: {type(error).__name__}: {error}")]
    if not isinstance(needed, int) or not 0 <= needed <= MAX_WARMUP_BARS:
        return None, [(at_type, f"{kind} must need 0 to {MAX_WARMUP_BARS} bars of warm-up, got {show(needed)}")]
    return made, []
