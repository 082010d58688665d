"""Every strategy that has a name keeps the contract."""

import pytest

from tests.contracts.strategy import StrategyContract
from trader.strategies import STRATEGIES, Strategy


@pytest.fixture(scope="module", params=sorted(STRATEGIES))
def strategy_type(request: pytest.FixtureRequest) -> type[Strategy]:
    return STRATEGIES[str(request.param)]


class TestEveryNamedStrategy(StrategyContract):
    pass
