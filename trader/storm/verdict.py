"""Many seeds, on one core or several, and what is to be said of them."""

import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from multiprocessing import get_context
from typing import Final

import msgspec

from trader.storm.run import MINUTES, Outcome, run_seed

TWICE_EVERY: Final = 50  # such a seed is run again: its journal must be the same to the last byte
_CHUNK: Final = 25  # seeds that a process takes at a time
_COLLECT_EVERY: Final = 20  # seeds; collecting within one costs more than what it finds


class Verdict(msgspec.Struct):
    """What some seeds have shown; ``failed`` is the first that broke a promise."""

    seeds: int = 0
    steps: int = 0
    orders: int = 0
    lives: int = 0
    struck: Counter[str] = Counter()
    failed: Outcome | None = None

    def add(self, outcome: Outcome) -> None:
        """Count one seed."""
        self.seeds += 1
        self.steps += outcome.steps
        self.orders += outcome.orders
        self.lives += outcome.lives
        self.struck.update(outcome.struck)
        if outcome.what and self.failed is None:
            self.failed = outcome


def judge(
    first: int, count: int, *, minutes: int = MINUTES, jobs: int = 1, tell: Callable[[int], None] | None = None
) -> Verdict:
    """Run ``count`` seeds from ``first`` on until one breaks a promise; ``tell`` is told how many are done."""
    verdict = Verdict(struck=Counter())
    for outcome in _outcomes(range(first, first + count), minutes, jobs):
        verdict.add(outcome)
        if verdict.failed is not None:
            break
        if tell is not None:
            tell(verdict.seeds)
    return verdict


def _outcomes(seeds: range, minutes: int, jobs: int) -> Iterator[Outcome]:
    chunks = [seeds[place : place + _CHUNK] for place in range(0, len(seeds), _CHUNK)]
    if jobs == 1:
        yield from chain.from_iterable(_run(chunk, minutes) for chunk in chunks)
        return
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=partial(be_quiet, for_good=True)
    ) as pool:
        try:
            yield from chain.from_iterable(pool.map(_run_all, chunks, [minutes] * len(chunks)))
        finally:
            pool.shutdown(cancel_futures=True)


def be_quiet(*, for_good: bool = False) -> None:
    """Say nothing of what a desk in a storm has to say: thousands of lines; ``for_good`` is faster."""
    import structlog

    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=silent, cache_logger_on_first_use=for_good)


def _run_all(seeds: range, minutes: int) -> list[Outcome]:
    return list(_run(seeds, minutes))


def _run(seeds: range, minutes: int) -> Iterator[Outcome]:
    gc.disable()
    gc.freeze()  # what is loaded by now stays, and need not be looked through again and again
    try:
        for seed in seeds:
            yield _run_one(seed, minutes)
            if seed % _COLLECT_EVERY == 0:
                gc.collect()
    finally:
        gc.unfreeze()
        gc.enable()


def _run_one(seed: int, minutes: int) -> Outcome:
    outcome = run_seed(seed, minutes=minutes)
    if outcome.what or seed % TWICE_EVERY:
        return outcome
    if run_seed(seed, minutes=minutes).journal != outcome.journal:
        return msgspec.structs.replace(outcome, what="I12: run again, it wrote another journal")
    return outcome
