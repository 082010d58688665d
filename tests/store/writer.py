"""A process that journals steps for as long as it lives, and says so after each: ``python writer.py JOURNAL``."""

import sys
from pathlib import Path

from tests.store.events import steps
from trader.store.sqlite import open_journal

journal = open_journal(Path(sys.argv[1]))
for _ in journal.recover():
    pass
while True:
    last = journal.last
    sys.stdout.write(f"{journal.write(steps(1 + last % 4, last + 1))}\n")
    sys.stdout.flush()
    if last % 50 == 0:
        journal.rest()
