"""Exact money: what may round says so, what may not raises."""

from decimal import Decimal, Inexact

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.model.money import EXACT, PICO, ceil_to, decimal_of, divide, floor_to, plain, share_of

AMOUNTS = st.decimals("-1e12", "1e12", places=9)


def test_a_float_is_read_as_it_is_written() -> None:
    assert decimal_of(450.23) == Decimal("450.23")


def test_exact_arithmetic_raises_instead_of_rounding() -> None:
    with pytest.raises(Inexact):
        EXACT.add(Decimal("1e60"), Decimal("1e-60"))


@given(AMOUNTS, st.sampled_from([Decimal("0.0001"), Decimal("1e-9"), Decimal(1), Decimal("0.01")]))
def test_rounding_is_to_the_nearest_step_on_the_named_side(value: Decimal, step: Decimal) -> None:
    low, high = floor_to(value, step), ceil_to(value, step)
    assert low <= value <= high
    assert high - low in {Decimal(0), step}
    assert EXACT.remainder(low, step) == EXACT.remainder(high, step) == 0


@given(AMOUNTS, st.decimals("1e-9", "1e9", places=9), st.decimals("1e-9", "1e9", places=9))
def test_a_share_is_within_a_picodollar_and_the_whole_is_exact(total: Decimal, one: Decimal, other: Decimal) -> None:
    part, whole = min(one, other), max(one, other)
    share = share_of(total, part, whole)
    assert abs(share - divide(EXACT.multiply(total, part), whole)) <= PICO
    assert share_of(total, whole, whole) == total


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E-9", "0.000000001"), ("1E+4", "10000"), ("10.500", "10.5"), ("0E-9", "0"), ("-0.10", "-0.1")],
)
def test_plain_notation_has_no_exponent_and_no_idle_zeros(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text
