"""Run the strategies of a settings file: ``trader run`` under the name that the guide gives it."""

import os
import sys
from pathlib import Path

try:
    from trader.cli import main
except ImportError:  # this Python has none of the packages: scripts/trader sets up one that has
    program = str(Path(__file__).resolve().parent.parent / "trader")
    os.execv(program, [program, "run", *sys.argv[1:]])  # noqa: S606 -- this program, under a Python of its own

sys.exit(main(["run", *sys.argv[1:]]))
