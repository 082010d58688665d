"""Every rule of the gate: allows, tells, refuses, lets reductions pass, refuses what is not known and what fails."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from tests.risk.desks import NOW, ZERO, Desk, Order, Sandbox, Symbol
from tests.risk.past_days import Days
from tests.risk.real_gate import Arrays, flags_of, question_of
from tests.risk.table import ROWS, Row, Scene
from trader.config.risk_sections import RiskConfig, RiskSection
from trader.model.conduct import Conduct, StrategyTally, Tally
from trader.model.orders import Approved, Denied
from trader.model.views import Question
from trader.risk.conduct import ConductControls
from trader.risk.gate import Gate
from trader.risk.limits import Limits
from trader.risk.rules import Rules
from trader.risk.value_at_risk import TailControl, TailModel

LEAST = 230
_FIGURES = (Fraction, type(None))


class Broken:
    """What a control looks at, and that cannot be looked at."""

    def _fail(self, *args: object) -> Any:
        raise RuntimeError("cannot be looked at")

    __bool__ = __contains__ = __iter__ = __getitem__ = __getattr__ = __sub__ = __float__ = _fail


class BrokenDays:
    @property
    def ends(self) -> Any:
        raise RuntimeError("cannot be looked at")


class Asked:
    """A gate of one row's settings, and the question of one scene."""

    def __init__(self, row: Row, scene: Scene, *, is_broken: bool = False) -> None:
        self.desk = _desk()
        self.order = Order("one", "AAA", is_buy=True, qty=Fraction(10), price=Fraction(100))
        self.conduct = Conduct(Tally(), {"one": StrategyTally(Tally())})
        self.days: dict[str, Any] = {name: Days({}, 0.02) for name in self.desk.symbols}
        for path, value in (row.always | scene).items():
            self._change(path, value)
        self._broken = row.breaks if is_broken else ""
        self.gate = self._gate(row)

    def answer(self) -> Approved | Denied:
        return self.gate.check(self._question())

    def _change(self, path: str, value: Any) -> None:
        first, *names = path.split(".")
        if path in {"flags", "days"}:
            if path == "flags":
                self.desk.flags = value
            else:
                self.days = dict.fromkeys(self.desk.symbols, Days({}))
            return
        if first == "conduct" and names[0] == "one":
            names = ["strategies", *names]
        known = {"order": self.order, "desk": self.desk, "conduct": self.conduct}
        of: Any = known.get(first) or self.desk.symbols.get(first) or self.desk.sandboxes[first]
        for name in names[:-1]:
            of = of[name] if isinstance(of, dict) else getattr(of, name)
        if isinstance(of, dict):
            of[names[-1]] = Fraction(value)
        else:
            is_figure = isinstance(value, str) and isinstance(getattr(of, names[-1]), _FIGURES)
            setattr(of, names[-1], Fraction(value) if is_figure else value)

    def _gate(self, row: Row) -> Gate:
        arrays: Any = Arrays(self.desk)
        flags: Any = flags_of(self.desk)
        conduct: Any = self.conduct
        rules, limits = _settings(row, self.desk)
        match self._broken:
            case "limits":
                limits["one"] = msgspec.structs.replace(limits["one"], allow_short=Broken())
            case "flags":
                flags = Broken()
            case "conduct":
                conduct = Broken()
            case "days":
                self.days = dict.fromkeys(self.desk.symbols, BrokenDays())
            case "exposures":
                arrays.sync = Broken()._fail  # noqa: SLF001 -- of this module
        classes: Any = {name: "crypto" if one.is_coin else "stock" for name, one in self.desk.symbols.items()}
        gate = Gate(
            rules,
            limits,
            exposures=arrays,
            flags=flags,
            conduct=ConductControls(rules.conduct, conduct, arrays),
            tails=TailControl(TailModel(self.days, classes, rules.var)),
        )
        if self._broken == "lists":
            vars(gate)["_lists"] = Broken()
        return gate

    def _question(self) -> Question:
        question = question_of(self.desk, self.order)
        if self._broken in {"standing", "market", "instrument", "now"}:
            return msgspec.structs.replace(question, **{self._broken: Broken()})
        return question


def _desk() -> Desk:
    symbols = {
        "AAA": Symbol("AAA", Fraction(100), bid=Fraction("99.9"), ask=Fraction("100.1")),
        "BBB": Symbol("BBB", Fraction(50), bid=Fraction("49.9"), ask=Fraction("50.1")),
        "COIN/USD": Symbol("COIN/USD", Fraction(1000), Fraction(1, 10**9), Fraction(10)),
    }
    for symbol in symbols.values():
        symbol.before, symbol.sigma_day, symbol.volume_day = symbol.mark, Fraction("0.02"), Fraction(100_000)
        symbol.bid_size = symbol.ask_size = Fraction(1000)
        symbol.quoted_at = NOW
    nothing = dict.fromkeys(symbols, ZERO)
    return Desk(
        symbols,
        {name: Sandbox(name, Fraction(10_000), dict(nothing), dict(nothing), dict(nothing)) for name in ("one", "two")},
    )


def _settings(row: Row, desk: Desk) -> tuple[Rules, dict[str, Limits]]:
    """Return what a person's settings become."""
    own: dict[str, Any] = {}
    risk: dict[str, Any] = {"groups": {"pair": {"strategies": ["one", "two"]}}}
    for path, value in ({row.at: row.setting} | row.also).items():
        first, *names = path.split(".")
        of, names = (own, names) if first == "own" else (risk, [first, *names])
        for name in names[:-1]:
            of = of.setdefault(name, {})
        if names[-1]:
            of[names[-1]] = value
    configs = {"one": RiskConfig.model_validate(own), "two": RiskConfig()}
    limits = {name: one.limits(allow_short=desk.sandboxes[name].allow_short) for name, one in configs.items()}
    return RiskSection.model_validate(risk).rules(configs), limits


def _cases(kind: str) -> Mapping[str, Row]:
    rows = {f"{number} {row.name}": row for number, row in enumerate(ROWS)}
    if kind == "reduced":  # what a reduction reduces stands in the standing: without it there is none
        return {name: row for name, row in rows.items() if row.breaks != "standing"}
    return {name: row for name, row in rows.items() if getattr(row, kind, row) is not None}


def _rules_told(asked: Asked) -> list[tuple[str, str]]:
    return [(breach.rule, breach.scope) for breach in asked.gate.warnings]


def test_the_table_is_long_enough() -> None:
    assert sum(len(_cases(kind)) for kind in ("allow", "soft", "hard", "hard", "missing", "failed", "reduced")) >= LEAST


@pytest.mark.parametrize("row", _cases("allow").values(), ids=_cases("allow"))
def test_what_meets_a_limit_is_allowed(row: Row) -> None:
    asked = Asked(row, row.allow)
    answer = asked.answer()
    assert isinstance(answer, Approved), answer
    assert not asked.gate.warnings


@pytest.mark.parametrize("row", _cases("soft").values(), ids=_cases("soft"))
def test_what_is_beyond_a_soft_level_passes_and_is_told_of(row: Row) -> None:
    assert row.soft is not None
    asked = Asked(row, row.soft)
    answer = asked.answer()
    assert isinstance(answer, Approved), answer
    assert _rules_told(asked) == [(row.rule, row.scope)]


@pytest.mark.parametrize("row", _cases("hard").values(), ids=_cases("hard"))
def test_what_is_beyond_a_hard_level_is_refused_with_figures(row: Row) -> None:
    assert row.hard is not None
    answer = Asked(row, row.hard).answer()
    assert isinstance(answer, Denied)
    assert (answer.rule, answer.scope, answer.is_passing) == (row.rule, row.scope, row.is_passing)
    assert answer.limit
    assert answer.value
    assert answer.hint or answer.rule == "held"  # whoever holds says what is to be done


@pytest.mark.parametrize("row", _cases("hard").values(), ids=_cases("hard"))
def test_a_reduction_passes_all_the_same(row: Row) -> None:
    assert row.hard is not None
    asked = Asked(row, row.hard)
    asked.desk.sandboxes["one"].held[asked.order.symbol] = Fraction(10)
    asked.order = replace(asked.order, is_buy=False, qty=Fraction(10), reduces=True)
    answer = asked.answer()
    assert isinstance(answer, Approved)
    assert answer.reserved == 0
    assert not asked.gate.warnings


@pytest.mark.parametrize("row", _cases("missing").values(), ids=_cases("missing"))
def test_what_is_not_known_is_refused(row: Row) -> None:
    assert row.missing is not None
    answer = Asked(row, row.missing).answer()
    assert isinstance(answer, Denied)
    assert answer.rule in {row.rule, "nav"}
    assert answer.value.startswith("unknown: ")


@pytest.mark.parametrize("row", _cases("failed").values(), ids=_cases("failed"))
def test_a_check_that_fails_refuses(row: Row) -> None:
    answer = Asked(row, row.allow, is_broken=True).answer()
    assert isinstance(answer, Denied)
    assert answer.rule == "check_failed"
    assert answer.value.startswith("error: ")


@pytest.mark.parametrize("row", _cases("reduced").values(), ids=_cases("reduced"))
def test_a_check_that_fails_lets_reductions_pass(row: Row) -> None:
    asked = Asked(row, row.allow, is_broken=True)
    asked.desk.sandboxes["one"].held[asked.order.symbol] = Fraction(10)
    asked.order = replace(asked.order, is_buy=False, qty=Fraction(10), reduces=True)
    assert isinstance(asked.answer(), Approved)
