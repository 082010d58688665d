"""``trader storm``: what it says of seeds that kept every promise, and of one that did not."""

import json

import pytest
from click.testing import CliRunner

from tests.storm.planted import SABOTAGES
from tests.storm.sabotage import planted
from trader.cli.storm import command

BROKE = next(one for one in SABOTAGES if one.where.endswith("Book.free_cash"))
FOUND = 8


def test_it_says_how_much_was_tried_and_that_every_promise_was_kept() -> None:
    result = CliRunner().invoke(command, ["--seeds", "30", "--minutes", "2"], standalone_mode=False)
    assert result.return_value == 0
    assert result.stdout.startswith("30 seeds from 0, 2 minutes each: ")
    assert "every promise was kept" in result.stdout


def test_the_first_seed_that_broke_a_promise_is_named_with_the_way_to_see_it_again() -> None:
    with planted(BROKE):
        result = CliRunner().invoke(command, ["--seeds", "200"], standalone_mode=False)
        assert result.return_value == FOUND
        seed = result.stdout.partition("\nseed ")[2].split()[0]
        assert f"see it again: trader storm --from {seed} --minutes 3 --trace" in result.stdout
        again = CliRunner().invoke(command, ["--from", seed, "--trace"], standalone_mode=False)
    assert again.return_value == FOUND
    assert again.stdout.splitlines()[-1].startswith(f"seed {seed}: I3: ")


def test_as_json_it_is_one_object() -> None:
    with planted(BROKE):
        result = CliRunner().invoke(command, ["--seeds", "200", "--json"], standalone_mode=False)
    answer = json.loads(result.stdout)
    assert result.return_value == FOUND
    assert (answer["ok"], answer["failed"]["seed"]) == (False, answer["seeds"] - 1)


@pytest.mark.parametrize("option", [["--seeds", "0"], ["--minutes", "0"], ["--from", "-1"]])
def test_numbers_that_make_no_sense_are_refused(option: list[str]) -> None:
    result = CliRunner().invoke(command, option)
    assert result.exit_code == 2
