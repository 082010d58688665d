"""What tests of the storm share: it says nothing, and others hear what they want to hear after it."""

from collections.abc import Iterator

import pytest
import structlog

from trader.storm.verdict import be_quiet


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Let the desk be silent for a while."""
    before = structlog.get_config()
    be_quiet()
    yield
    structlog.configure(**before)
