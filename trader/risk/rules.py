"""Everything the gate holds orders to, beside each sandbox's own limits; made of the settings' ``risk`` section."""

import msgspec

from trader.model.orders import Urgency
from trader.risk.conduct import ConductLimits
from trader.risk.escalation import Escalation
from trader.risk.ladder import Ladder
from trader.risk.limits import AccountLimits, GroupLimits, OrderLimits, SymbolLimits
from trader.risk.regime import Regime
from trader.risk.tiers import Tier
from trader.risk.value_at_risk import VarLimits

UNKNOWN = "unknown"  # the sector, or category, of symbols that are in none


class Rules(msgspec.Struct, frozen=True, omit_defaults=True):
    """The desk's rules; the default has none.

    ``sectors`` and ``categories`` are symbols by name, ``authorized`` the symbols that a strategy named there may open;
    ``orders`` are by asset class. ``allowed`` of no symbols allows all. ``tiers`` has those that differ from
    :data:`~trader.risk.tiers.BY_URGENCY`.
    """

    account: AccountLimits = AccountLimits()
    groups: dict[str, GroupLimits] = {}
    symbols: dict[str, SymbolLimits] = {}
    orders: dict[str, OrderLimits] = {}
    sectors: dict[str, tuple[str, ...]] = {}
    categories: dict[str, tuple[str, ...]] = {}
    authorized: dict[str, tuple[str, ...]] = {}
    restricted: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    tiers: dict[Urgency, Tier] = {}
    conduct: ConductLimits = ConductLimits()
    ladder: Ladder = Ladder()
    escalation: Escalation = Escalation()
    regime: Regime = Regime()
    var: VarLimits = VarLimits()
