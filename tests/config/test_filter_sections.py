"""Filters in settings and on the command line: what they become, and what is said of those that cannot be."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.config.entries import entry, refusals
from trader.config import FILTER_TYPES, FilterConfig, chain_of, filter_sections, links_of, load, parse
from trader.director import FILTERS
from trader.director.filters_exposure import CategoryFilter, MaxPositionsFilter
from trader.director.filters_simple import WeekdayFilter
from trader.errors import ConfigError
from trader.registry import Registry

PLUGIN = """
from trader.director import Filter

class Never(Filter):
    '''Lets nothing pass.'''
    loud: bool = False

    def apply(self, intent, view):
        return None

class Breaks(Never):
    def __post_init__(self):
        raise KeyError("no luck")

class Unsure(Never):
    @property
    def needs_portfolio(self):
        raise KeyError("which")

class Hollow(Filter):
    pass
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a module with filters in the current folder, and one of them installed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_filters.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    metadata = tmp_path / "acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[trader.filters]\nnever = own_filters:Never\n")
    monkeypatch.setattr(filter_sections, "FILTER_TYPES", Registry("filter", "trader.filters", FILTERS))
    monkeypatch.delitem(sys.modules, "own_filters", raising=False)


def said(*filters: Any) -> list[str]:
    """Return what is said of settings with common filters that cannot be run."""
    return refusals(entry(), filters=list(filters))


def refused(names: list[str], inputs: list[str]) -> list[str]:
    with pytest.raises(ConfigError) as error:
        chain_of(names, inputs)
    return str(error.value).splitlines()


# --- in a file ----------------------------------------------------------------------------------------------------


def test_parameters_stand_beside_the_name_with_hyphens_or_underscores() -> None:
    chain = [{"name": "weekday", "blocked-days": ["Mon"]}, {"name": "max-positions", "max_long_positions": 3}]
    config = parse({"strategies": [entry()], "filters": chain})
    weekday, places = links_of(config.filters)
    assert (weekday.name, places.name) == ("weekday", "max-positions")
    assert isinstance(weekday.filter, WeekdayFilter)
    assert weekday.filter.blocked_days == ("Monday",)
    assert isinstance(places.filter, MaxPositionsFilter)
    assert places.filter.max_long_positions == 3


def test_a_strategy_may_have_filters_of_its_own() -> None:
    config = parse({"strategies": [entry(filters=[{"name": "nil"}])]})
    assert [one.name for one in config.strategies[0].filters] == ["nil"]
    assert config.filters == ()


def test_numbers_of_a_file_are_floats_and_names_within_keep_their_hyphens(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        '[[filters]]\nname = "category"\ncategories = {"hard-metals" = ["GLD"]}\nmax-fracs = {"hard-metals" = 0.3}\n'
        '[[strategies]]\nname = "A"\nstrategy_type = "adaptive"\ntickers = ["GLD"]\n'
    )
    (link,) = links_of(load(file).filters)
    assert isinstance(link.filter, CategoryFilter)
    assert link.filter.max_fracs == {"hard-metals": 0.3}


def test_typed_settings_are_read_as_well_and_what_is_read_can_be_read_again() -> None:
    config = parse(
        {"strategies": [entry()], "filters": (FilterConfig.model_validate({"name": "var", "confidence": 0.9}),)}
    )
    again = parse(config.model_dump(by_alias=True))
    assert again.filters == config.filters


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ([{"name": "nill"}], "filters[0].name: must be one of 'nil', 'weekday'"),
        ([{"blocked-days": ["Fri"]}], "filters[0].name: required, but missing"),
        ([{"name": 5}], "filters[0].name: must be text, got 5"),
        (["nil"], "filters[0]: "),
        ([{"name": "nil"}, {"name": "var", "confidence": 2}], "filters[1].confidence: must be < 1.0, got 2"),
        ([{"name": "var", "confidence": "0.9"}], "filters[0].confidence: must be a number, got '0.9'"),
        ([{"name": "var", "confidenc": 0.9}], "filters[0].confidenc: unknown parameter; did you mean 'confidence'?"),
        (
            [{"name": "weekday", "blocked-days": ["Fri", "Frei"]}],
            "filters[0].blocked_days[1]: must be a weekday like Friday or Fri, got 'Frei'; allowed: Monday,",
        ),
        ([{"name": "position-size"}], "filters[0]: mode 'fixed' needs size (shares or coins) or notional (dollars)"),
        (
            [{"name": "var", "max-frac": 0.1, "max_frac": 0.2}],
            "filters[0].max-frac: given twice, as max-frac and max_frac; keep one of them",
        ),
        ([{"name": "asset-class", "max_fracs": {"stock": 0}}], "filters[0].max_fracs.stock: must be > 0.0, got 0"),
        ([{"name": "pathlib:Path"}], "filters[0].name: pathlib:Path is no filter: it must be a subclass of"),
        ([{"name": "trader.director:Filter"}], "filters[0].name: trader.director:Filter is no filter"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(chain: list[Any], expected: str) -> None:
    (line,) = said(*chain)
    assert line.startswith(expected)


def test_what_is_wrong_with_a_strategys_own_is_said_at_the_strategy() -> None:
    (line,) = refusals(entry(), entry(name="B", filters=[{"name": "max-position"}]))
    assert line.startswith("strategies[1].filters[0].name: must be one of")
    assert line.endswith("did you mean 'max-positions'?")


def test_a_chain_is_bounded() -> None:
    (line,) = said(*[{"name": "nil"}] * 101)
    assert line.startswith("filters: must have at most 100 entries")


@pytest.mark.usefixtures("plugin")
def test_filters_of_ones_own_are_found_by_entry_point_and_by_class() -> None:
    config = parse({"strategies": [entry()], "filters": [{"name": "never", "loud": True}]})
    assert type(links_of(config.filters)[0].filter).__name__ == "Never"
    parse({"strategies": [entry()], "filters": [{"name": "own_filters:Never"}]})


@pytest.mark.usefixtures("plugin")
def test_filters_of_ones_own_that_cannot_be_made_are_told_too() -> None:
    assert said({"name": "own_filters:Breaks"}) == [
        "filters[0].name: own_filters:Breaks cannot be made: KeyError: 'no luck'"
    ]
    assert said({"name": "own_filters:Unsure"})[0].endswith("cannot be made: KeyError: 'which'")
    assert said({"name": "own_filters:Hollow"})[0].endswith(
        "it must be a subclass of trader.director.Filter with apply"
    )


def test_a_chain_that_was_not_checked_is_refused_all_the_same() -> None:
    with pytest.raises(ConfigError, match="filter 'nill'"):
        links_of([FilterConfig(name="nill")])


def test_every_built_in_filter_can_be_named() -> None:
    assert FILTER_TYPES.names()[: len(FILTERS)] == list(FILTERS)


# --- on the command line ------------------------------------------------------------------------------------------


def test_inputs_are_numbers_words_lists_and_objects() -> None:
    (weekday,) = chain_of(["weekday"], ["blocked-days=Friday; Monday , block-friday=false"])
    assert dict(weekday) == {"name": "weekday", "blocked_days": ["Friday", "Monday"], "block_friday": False}
    (alone,) = chain_of(["weekday"], ["blocked_days=Fri,block_friday=none"])
    assert dict(alone) == {"name": "weekday", "blocked_days": ["Fri"], "block_friday": None}
    (group,) = chain_of(["category"], ["categories=metals:GLD+SLV;coins:BTC/USD,max-fracs=metals:.5,max-count=3"])
    made = links_of([group])[0].filter
    assert isinstance(made, CategoryFilter)
    assert (made.categories, made.max_fracs, made.max_count) == (
        {"metals": ("GLD", "SLV"), "coins": ("BTC/USD",)}, {"metals": 0.5}, 3,
    )  # fmt: skip


def test_several_filters_take_their_inputs_in_order() -> None:
    chain = chain_of(["max-positions", "nil", "var"], ["max-long-positions=3", "", "confidence=0.99"])
    assert dict(chain[0]) == {"name": "max-positions", "max_long_positions": 3}
    assert [each.name for each in chain] == ["max-positions", "nil", "var"]
    assert [each.name for each in chain_of(["nil", "weekday"], [])] == ["nil", "weekday"]
    assert chain_of([], []) == ()


@pytest.mark.parametrize(
    ("names", "inputs", "expected"),
    [
        (["max-position"], [], "--filter: must be one of 'nil', "),
        (["var"], ["confidence"], "--filter-inputs 'confidence': 'confidence' is no parameter=value; write it like"),
        (["var"], ["=1"], "--filter-inputs '=1': '=1' is no parameter=value"),
        (["var"], ["name=x"], "--filter-inputs 'name=x': 'name=x' is no parameter=value"),
        (["var"], ["confidence=1;2"], "--filter var: confidence: must be a number, got '1;2'"),
        (["var"], ["lookback=9e999"], "--filter var: lookback: must be a whole number, got inf"),
        (["var"], ["lookback=" + "9" * 5000], "--filter var: lookback: must be a whole number, got inf"),
        (["var"], ["max-frac=1,max_frac=2"], "--filter-inputs 'max-frac=1,max_frac=2': max_frac is given twice;"),
        (["max-positions"], ["max-long=3"], "--filter max-positions: max_long: unknown parameter; did you mean"),
        (["category"], ["categories=GLD"], "--filter-inputs 'categories=GLD': 'GLD' is no name:value; write it like"),
        (["position-size"], [], "--filter position-size: mode 'fixed' needs size"),
        ([], ["a=1"], "--filter-inputs is given 1 times and --filter 0 times; give it once for each, in the same"),
        (["nil", "var"], ["confidence=0.9"], "--filter-inputs is given 1 times and --filter 2 times"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_said_with_its_option(
    names: list[str], inputs: list[str], expected: str
) -> None:
    (line,) = refused(names, inputs)
    assert line.startswith(expected)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    lines = refused(["nill", "var", "weekday"], ["", "confidence=2,foo=1", "x"])
    assert [line.partition(": ")[0] for line in lines] == [
        "--filter", "--filter var", "--filter var", "--filter-inputs 'x'",
    ]  # fmt: skip


def test_categories_are_those_of_the_risk_section_unless_the_filter_has_its_own() -> None:
    risk = {"categories": {"metals": ["GLD", "SLV"]}}
    wanted = {"name": "category", "max-fracs": {"metals": 0.3}}
    config = parse({"strategies": [entry()], "filters": [wanted], "risk": risk})
    (link,) = links_of(config.filters, categories=config.risk.categories)
    assert isinstance(link.filter, CategoryFilter)
    assert link.filter.group_of("SLV", "stock") == "metals"
    assert chain_of(["category"], ["max-fracs=metals:0.3"], categories=config.risk.categories)
    (line,) = refusals(entry(), filters=[{**wanted, "categories": {"energy": ["XLE"]}}], risk=risk)
    assert line == "filters[0]: must name a known category, got 'metals'; known: energy, unknown"
