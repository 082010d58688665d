"""The Director: every intent to open of one step, together, through the filters.

First the filters that look at one intent at a time, then those that look at all of them; among each, those of the
whole desk before a strategy's own, which see that strategy's portfolio only. Each may let pass, shrink or drop, and
none gives back what another took. What is left is rounded toward zero once, at the end, and dropped where the venue
would not take so little.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isnan

import msgspec

from trader.director.filter import BatchFilter, Cut, Filter, unknown
from trader.director.modes import ExecutionMode, MarketView, OwnView, mode_of
from trader.errors import ModeError
from trader.model.money import EXACT, ONE, ZERO, decimal_of, floor_to, plain
from trader.model.orders import OrderIntent, Reason, Ruling, Side, Trim, Urgency
from trader.model.views import PortfolioView

# What floats cannot tell apart is no cut, and 20 lots that came out a hair below 20 are 20.
_ROUNDING = 1e-9
_HAIR = Decimal("1.000000000001")
_LONGEST_TEXT = 200  # characters of what a filter says: it goes into the journal with every intent it cuts
_RANK = {urgency: number for number, urgency in enumerate(Urgency)}


class Link(msgspec.Struct, frozen=True):
    """One filter of a chain, under the name it has in the settings."""

    name: str
    filter: Filter


class Director:
    """The filters of one desk, in the order in which they are asked."""

    def __init__(
        self,
        shared: Sequence[Link] = (),
        own: Mapping[str, Sequence[Link]] | None = None,
        *,
        mode: ExecutionMode = ExecutionMode.SEQUENTIAL,
    ) -> None:
        """Ask ``shared`` about every intent, and after them ``own`` about those of their strategy.

        Raises:
            ModeError: the strategies are to run apart, and a filter needs all of them together.
        """
        chains: list[tuple[str, Sequence[Link]]] = [("", shared), *(own or {}).items()]
        self._chains = [
            (strategy, link)
            for is_batch in (False, True)
            for strategy, links in chains
            for link in links
            if isinstance(link.filter, BatchFilter) is is_batch
        ]
        self.mode = mode_of(mode, [(link.name, link.filter) for _, link in self._chains])

    @property
    def judges_exits(self) -> bool:
        """Tell whether any filter wants to see exits; else none need be shown."""
        return any(link.filter.judges_exits for _, link in self._chains)

    def judge(self, intents: Sequence[OrderIntent], view: PortfolioView) -> list[Ruling]:
        """Return, for each intent in its place, what is left of it; never more than was asked for.

        Raises:
            ModeError: strategies run apart, and a filter that said it needs no portfolio asked for it.
        """
        seen: PortfolioView = MarketView(view) if self.mode is ExecutionMode.PARALLEL else view
        cases = [_Case(intent) for intent in intents]
        ranked = sorted(cases, key=lambda case: _RANK[case.intent.urgency])  # equal ones stay as they came
        for strategy, link in self._chains:
            asked = [case for case in ranked if case.is_for(strategy, link.filter)]
            if asked:
                _ask(link, asked, OwnView(seen, strategy) if strategy else seen)
        return [case.ruling(view) for case in cases]


@dataclass(slots=True)
class _Case:
    """One intent on its way through the chain."""

    intent: OrderIntent
    trims: list[Trim] = field(default_factory=list)
    dropped: Trim | None = None

    def is_for(self, strategy: str, judge: Filter) -> bool:
        """Tell whether a filter of ``strategy`` (empty: of the desk) is asked about it."""
        if self.dropped is not None or (strategy and strategy != self.intent.strategy):
            return False
        return not self.intent.reduces or (judge.judges_exits and self.intent.reason is Reason.SIGNAL)

    def take(self, name: str, cut: Cut | None) -> None:
        """Keep what a filter lets pass."""
        if cut is None or cut.qty >= float(self.intent.qty) * (1.0 - _ROUNDING):
            return
        if not cut.qty > 0.0:
            self.dropped = Trim(name, ZERO, cut.limit, cut.value)
        elif not self.intent.reduces:
            qty = decimal_of(cut.qty)
            self.trims.append(Trim(name, qty, cut.limit, cut.value))
            self.intent = msgspec.structs.replace(self.intent, qty=qty)

    def ruling(self, view: PortfolioView) -> Ruling:
        """Round what is left; drop it where the venue would not take it."""
        if self.dropped is not None or not self.trims:
            return Ruling(self.intent, tuple(self.trims), self.dropped)
        *earlier, last = self.trims
        qty, floor = self._rounded(last.qty, view)
        trim = msgspec.structs.replace(last, qty=qty)
        if floor:
            value = f"{last.value}; leaves {plain(qty)}, below the smallest order of {floor}"
            return Ruling(self.intent, tuple(earlier), msgspec.structs.replace(trim, qty=ZERO, value=value))
        return Ruling(msgspec.structs.replace(self.intent, qty=qty), (*earlier, trim))

    def _rounded(self, qty: Decimal, view: PortfolioView) -> tuple[Decimal, str]:
        """Return a quantity the venue takes, and the smallest one it would where this is none."""
        intent, instrument = self.intent, view.instrument(self.intent.strategy, self.intent.symbol)
        is_short = intent.side is Side.SELL and instrument.asset_class == "stock"  # in whole shares only
        step = max(ONE, instrument.qty_increment) if is_short else instrument.qty_increment
        rounded = floor_to(EXACT.multiply(qty, _HAIR), step)
        if not rounded:
            return rounded, plain(step)
        too_little = EXACT.multiply(rounded, intent.decision_price) < instrument.min_notional
        return rounded, f"${plain(instrument.min_notional)}" if too_little else ""


def _ask(link: Link, cases: Sequence[_Case], view: PortfolioView) -> None:
    """Take a filter's answers; one that fails lets nothing pass."""
    try:
        if isinstance(link.filter, BatchFilter):
            cuts: Iterable[Cut | None] = link.filter.apply_all([case.intent for case in cases], view)
        else:
            cuts = [link.filter.apply(case.intent, view) for case in cases]
        answers = [_checked(cut) for cut in cuts]
        if len(answers) != len(cases):
            raise ValueError(f"{len(answers)} answers to {len(cases)} intents")
    except (ModeError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 -- whatever a filter raises is its own failure
        answers = [unknown("a filter that works", _printable(f"{type(error).__name__}: {error}"))] * len(cases)
    for case, cut in zip(cases, answers, strict=True):
        case.take(link.name, cut)


def _checked(cut: object) -> Cut | None:
    """Return an answer in our own types: other people's filters are not type-checked, and journals are for ever."""
    if cut is None:
        return None
    if not isinstance(cut, Cut):
        raise TypeError(f"it answered {type(cut).__name__}; allowed: Cut(qty, limit, value), or None to let pass")
    qty, limit, value = float(cut.qty), _printable(cut.limit), _printable(cut.value)
    return unknown(limit, value) if isnan(qty) else Cut(qty, limit, value)


def _printable(text: object) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in str(text)[:_LONGEST_TEXT])
