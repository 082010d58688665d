"""What clients write is read as Alpaca reads it, and refused in its words."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.exchange.rest_parameters import (
    Declined,
    amount,
    choice,
    count,
    fields_of,
    flag,
    moment,
    names,
    part,
    text,
)
from trader.model.money import plain
from trader.model.time import parse_time


@pytest.mark.parametrize(
    ("written", "exact"),
    [
        (b"0.30000000000000004", "0.30000000000000004"),
        (b"1e-9", "0.000000001"),
        (b"1E2", "100"),
        (b"7", "7"),
        (b'"7.50"', "7.5"),
        (b'"1e-9"', "0.000000001"),
        (b'".5"', "0.5"),
        (b'"-1"', "-1"),
    ],
)
def test_amounts_are_exact_however_they_are_written(written: bytes, exact: str) -> None:
    found = amount(fields_of(b'{"qty": ' + written + b"}"), "qty")
    assert found is not None
    assert plain(found) == exact


@pytest.mark.parametrize(
    "written", ["true", '"NaN"', '"1_000"', '"٣"', "[]", '""', '"1e99"', "1e15", f"1.{'1' * 24}", "1e-300", "1" * 5000]
)
def test_what_is_no_amount_is_refused_by_name(written: str) -> None:
    with pytest.raises(Declined, match=r"invalid (qty|body)|request body format is invalid"):
        amount(fields_of(b'{"qty": ' + written.encode() + b"}"), "qty")


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_anything_is_an_amount_none_or_refused(given_: Any) -> None:
    fields = fields_of(msgspec.json.encode({"qty": given_}))
    with suppress(Declined):
        found = amount(fields, "qty")
        assert found is None or Decimal(found).is_finite()


@given(st.binary(max_size=40))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    with suppress(Declined):
        assert isinstance(fields_of(body), dict)


@pytest.mark.parametrize(("written", "meant"), [("True", True), ("true", True), (True, True), ("1", True)])
def test_yes_is_yes_however_it_is_written(written: Any, meant: bool) -> None:
    assert flag({"nested": written}, "nested") is meant
    assert flag({}, "nested", default=True)
    assert not flag({"nested": "FALSE"}, "nested", default=True)
    with pytest.raises(Declined, match="invalid nested"):
        flag({"nested": "yes"}, "nested")


def test_texts_parts_and_lists() -> None:
    assert text({"a": "b"}, "a") == "b"
    assert text({"a": None}, "a") == ""
    assert part({"a": {"b": 1}}, "a") == {"b": 1}
    assert part({}, "a") is None
    assert names({"symbols": "SPY, AAPL,,"}, "symbols") == ["SPY", "AAPL"]
    for read in (text, part):
        with pytest.raises(Declined, match="invalid a"):
            read({"a": 1}, "a")


def test_choices_and_counts_have_bounds() -> None:
    assert choice({}, "direction", ("desc", "asc")) == "desc"
    assert count({}, "limit", default=50, most=500) == 50
    assert count({"limit": "500"}, "limit", default=50, most=500) == 500
    with pytest.raises(Declined, match="invalid direction"):
        choice({"direction": "up"}, "direction", ("desc", "asc"))
    for wrong in ("0", "501", "-1", "x", "٣", "9" * 5000):
        with pytest.raises(Declined, match="must be between 1 and 500"):
            count({"limit": wrong}, "limit", default=50, most=500)


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-05T14:30:00Z",
        "2026-01-05T09:30:00-05:00",
        "2026-01-05T15:30:00+01:00",
        "2026-01-05T15:30:00 01:00",  # a plus that nobody escaped
        "2026-01-05T14:30:00.000000000Z",
        "2026-01-05T14:30",
    ],
)
def test_times_are_read_in_every_usual_form(written: str) -> None:
    assert moment({"after": written}, "after") == parse_time("2026-01-05T14:30:00")


def test_times_are_exact_a_day_is_its_midnight_and_nonsense_is_refused() -> None:
    assert moment({"after": "2026-01-05T14:30:00.000000001Z"}, "after") == parse_time("2026-01-05T14:30:00") + 1
    assert moment({"after": "2026-01-05"}, "after") == parse_time("2026-01-05T00:00:00")
    assert moment({}, "after") is None
    for wrong in ("yesterday", "2026-13-01", "0001-01-01", "9999-12-31T00:00:00Z"):
        with pytest.raises(Declined, match="invalid after"):
            moment({"after": wrong}, "after")
