"""The storm sees: every planted error is found, soon, and what is planted is what the code says today."""

import pytest

from tests.storm.planted import SABOTAGES
from tests.storm.sabotage import Sabotage, planted, search

LEAST = 24
SOON = 120  # seeds; errors that take longer are looked for by `python -m tests.storm.sabotage`

_FOUND_SOON = [one for one in SABOTAGES if one.within <= SOON]
_FOUND_LATE = [one for one in SABOTAGES if one.within > SOON]


def test_there_are_enough_of_them() -> None:
    assert len({one.name for one in SABOTAGES}) == len(SABOTAGES) >= LEAST


@pytest.mark.parametrize("sabotage", _FOUND_SOON, ids=lambda one: one.name)
def test_an_error_is_found(sabotage: Sabotage) -> None:
    assert search(sabotage) is not None


@pytest.mark.parametrize("sabotage", _FOUND_LATE, ids=lambda one: one.name)
def test_an_error_that_is_found_late_can_be_planted(sabotage: Sabotage) -> None:
    with planted(sabotage):
        pass
