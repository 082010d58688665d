"""The desk in the storm: every promise is kept, and the same seed is the same storm."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.storm.sqlite_disk import SqliteDisk
from trader.storm import verdict
from trader.storm.run import run_seed

SEEDS = 1_500
ROOT = Path(__file__).parents[2]
_PRINT_JOURNALS = """
from trader.storm import verdict
from trader.storm.run import run_seed
verdict.be_quiet()
for seed in range(20):
    print(run_seed(seed).journal)
"""


def test_every_promise_is_kept_in_every_seed() -> None:
    found = verdict.judge(0, SEEDS, jobs=os.cpu_count() or 1)
    assert found.failed is None, f"seed {found.failed.seed}: {found.failed.what}"
    assert found.seeds == SEEDS
    assert found.lives > SEEDS, "no process has ever died"


@pytest.mark.parametrize("seed", range(20))
def test_a_power_cut_of_a_real_journal_loses_nothing_that_was_acknowledged(seed: int) -> None:
    disk = SqliteDisk(seed)
    with closing(disk):
        assert run_seed(seed, disk=disk).what == ""


def test_a_seed_writes_the_same_journal_in_any_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _PRINT_JOURNALS],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_a_trace_tells_what_happened_and_changes_nothing() -> None:
    lines: list[str] = []
    assert run_seed(3, trace=lines.append) == run_seed(3)
    assert any("OrderCreated" in line for line in lines)
