"""``trader config``: the schema as a file for an editor."""

import json

import pytest

from trader.cli import main
from trader.config import schema


def test_the_schema_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(schema()))
