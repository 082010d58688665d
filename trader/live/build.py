"""Settings to objects: the only place of the live shell that constructs things."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from trader.access.ports import SimulatedFeed
from trader.access.sim.exchange import SimExchange
from trader.access.sim.fills import RegulatoryFees, VenueRules
from trader.config import BrokerConfig, RiskConfig, StrategyConfig
from trader.director.grid import BAR_MINUTES
from trader.engine.engine import Engine
from trader.engine.sandbox import Sandbox, SandboxSpec
from trader.errors import ConfigError, Problem
from trader.model.instruments import instrument_of
from trader.model.time import parse_time
from trader.risk.limits import Limits

if TYPE_CHECKING:
    from trader.live.coordinator import RunOptions

NO_LIVE = (
    "live trading comes with the Alpaca adapter, which this version does not have; "
    "leave out --live (paper=False) to trade the simulated market"
)
# A Monday at the opening of New York: the first strategies trade at once, and equal commands give equal runs.
SYNTHETIC_START = parse_time("2026-01-05T14:30:00+00:00")
