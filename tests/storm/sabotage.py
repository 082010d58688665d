"""Errors planted on purpose: one line of a real function is changed, and the storm has to notice.

A function's source is taken, one passage in it replaced, and the function given the code of the result: whoever has
imported it runs that. ``python -m tests.storm.sabotage`` looks for the first seed that shows each error.
"""

import importlib
import inspect
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from trader.storm import verdict
from trader.storm.run import Outcome, run_seed

MOST = 5_000  # seeds within which each error must show


class Sabotage(NamedTuple):
    """``old`` becomes ``new`` in ``where``; the storm shows it within ``within`` seeds.

    ``beside`` is a second control that would keep it from doing harm: it finds nothing wrong meanwhile.
    """

    name: str
    where: str  # module:qualified name of a function, a method or a property
    old: str
    new: str
    within: int = 120
    beside: str = ""


@contextmanager
def planted(sabotage: Sabotage) -> Iterator[None]:
    """Let a function be wrong for a while."""
    function = _function_of(_found(sabotage.where))
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(sabotage.old) == 1, (
        f"{sabotage.name}: {function.__qualname__} has no longer one {sabotage.old!r}"
    )
    blind = _function_of(_found(sabotage.beside)) if sabotage.beside else function
    right, seeing = function.__code__, blind.__code__
    blind.__code__ = _finds_nothing.__code__
    function.__code__ = _compiled(function, source.replace(sabotage.old, sabotage.new))
    try:
        yield
    finally:
        blind.__code__ = seeing
        function.__code__ = right


def search(sabotage: Sabotage, *, within: int | None = None) -> Outcome | None:
    """Return the first seed that shows an error, None where none of them does."""
    with planted(sabotage):
        for seed in range(within or sabotage.within):
            outcome = run_seed(seed)
            if outcome.what:
                return outcome
    return None


def _finds_nothing(*_: object) -> str:
    return ""


def _found(where: str) -> Any:
    module, _, names = where.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = inspect.getattr_static(found, name)
    return found


def _function_of(where: Any) -> FunctionType:
    function = where.fget if isinstance(where, property) else where
    function = getattr(function, "__func__", function)
    assert isinstance(function, FunctionType)
    return function


def _compiled(function: FunctionType, source: str) -> CodeType:
    """Compile a function's source within its own module, with the free names that it has."""
    free = function.__code__.co_freevars
    lines = [
        f"def _around({', '.join(free)}):",
        *textwrap.indent(source, "    ").splitlines(),
        f"    return {function.__name__}",
    ]
    names: dict[str, Any] = {}
    exec(compile("\n".join(lines), function.__code__.co_filename, "exec"), function.__globals__, names)  # noqa: S102 -- source of our own
    made: Callable[..., Any] = names["_around"](*[None for _ in free])
    return _function_of(made).__code__


def main(arguments: list[str]) -> int:
    """Say for each error, or for those named, which seed shows it first."""
    from tests.storm.planted import SABOTAGES

    verdict.be_quiet()
    missed = 0
    for sabotage in SABOTAGES:
        if arguments and not any(word in sabotage.name for word in arguments):
            continue
        began = time.monotonic()
        outcome = search(sabotage, within=MOST)
        missed += outcome is None
        shown = f"NOT within {MOST}" if outcome is None else f"seed {outcome.seed}: {outcome.what[:150]}"
        print(f"{sabotage.name:48} {time.monotonic() - began:6.1f} s  {shown}", flush=True)  # noqa: T201
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
