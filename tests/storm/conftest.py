"""What tests of the storm share: it says nothing, and others hear what they want to hear after it."""

import pytest

from trader.storm.verdict import be_quiet


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Let the desk be silent for a while."""
    be_quiet()
