"""The tidy test: the budgets and habits that keep this code small enough to read.

A figure may fall, but not rise silently: to go beyond one, name the place and the size it may have in one of the
tables below, with the reason, in the same commit. An entry that is no longer needed fails too.
"""

import ast
import functools
import re
import statistics
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from tests.conftest import ROOT

PACKAGE = ROOT / "trader"
LOCKS = sorted((ROOT / "scripts" / "locks").glob("*.txt"))

# Lines a room (or a file that stands alone) may have; 20% more is let pass. Rooms that are still to come are in it.
ROOM_LINES = {
    "cli": 2050,  # 900 were planned; twenty verbs, eight of them talk to a running desk and ask before they change it
    "config": 1900,  # 500 were planned; a finding per kind of mistake, with its place; limits and filters are 1,000
    "errors": 130,  # 120 were planned; the journal's failures are told apart by what is to be done
    "registry": 135,  # 80 were planned; broken and doubled entry points are told apart and never take the rest down
    "logs": 120,
    "testing": 170,  # 120 were planned; strategies and filters are tried with the same words
    "model": 1400,  # 1000 were planned; what may be lost at the tail is measured once, for gate and filters (220)
    "strategies": 900,
    "director": 1300,  # 800 were planned; ten filters, each with its bounds and the words it refuses with
    "risk": 2850,  # 450 were planned; seventy controls of two levels, value at risk and stresses 900
    "execution": 800,
    "books": 1300,  # 900 were planned; conduct is counted in the books, so that a restart resets nothing
    "capital": 1500,
    # 900 were planned; holes in the data, revisions, holds, splits and busts came with the real market (1000), orders
    # that cross, wait and go in parts, states, locks and recovery with many strategies on one account (1800).
    # Exposure as arrays, the control room, losses by period and the days of every symbol are 1,200 (3050).
    "engine": 3050,
    # 2600 were planned. The client of Alpaca that mends every hole and looks up every doubt is 5000, the venue that
    # refuses what Alpaca refuses, in its words, with brackets, busts and splits, is 2700, the feeds 1500.
    "access": 9150,  # and 500 for what the account says after a restart, of other hands, and of money without a trade
    "store": 1350,  # 800 were planned; PostgreSQL and the tape are 600, what SQLite passes over in silence is 250
    "pods": 600,
    "web": 900,
    # 1200 were planned: every endpoint that alpaca-py has, both sockets with every code, 29 kinds of faults.
    "exchange": 4800,
    "backtest": 800,
    "storm": 2100,  # a command of its own: the whole desk under faults, in virtual time; a third is what it looks for
    # 1100 were planned; the account guard and the doctor that shares its checks are 1200, operators' ways in (socket,
    # its client, the file that halts, what they are shown) 1550, recovery, recorder and replay 600.
    "live": 4850,
}
PACKAGE_LINES = 43_500  # 20,000 were planned; Alpaca's two sides are 14,000, crashes 8,000, risk 9,000
FILE_LINES, FILE_LINES_EVER = 400, 600
FUNCTION_LINES, FUNCTION_LINES_EVER = 40, 70
MEDIAN_FUNCTION_LINES = 12
PUBLIC_METHODS = 12
PARAMETERS = 6
NESTING = 3

# The exceptions: "trader/books/ledger.py": lines, or "trader/books/ledger.py:apply": lines, each with its reason.
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}

CORE = {"model", "strategies", "director", "risk", "execution", "books", "capital", "engine"}
RUNTIME_DEPENDENCIES = {
    "alpaca-py", "apsw", "click", "duckdb", "exchange-calendars", "httpx", "msgspec", "numpy", "prometheus-client",
    "pydantic", "rich", "starlette", "structlog", "ta-lib", "tzdata", "uvicorn", "uvloop", "websockets",
}  # fmt: skip
TOP_LEVEL = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "trader", "configs", "scripts", "tests"}
TOP_LEVEL_ALLOWED = TOP_LEVEL | {"deploy"}
BANNED_WORDS = {"util", "utils", "helper", "helpers", "manager", "managers"}
EVENT_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
LOG_LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


def test_package_stays_within_its_lines() -> None:
    total = sum(map(_lines, _sources()))
    assert total <= PACKAGE_LINES, f"trader/ has {total} lines, allowed are {PACKAGE_LINES}: find what is not needed"


def test_every_room_stays_within_its_lines() -> None:
    unknown = _rooms() - ROOM_LINES.keys()
    assert not unknown, f"{sorted(unknown)} have no figure: give each new room one in ROOM_LINES"
    over = []
    for room in sorted(_rooms()):
        size = sum(_lines(path) for path in _sources() if path.relative_to(PACKAGE).parts[0] in {room, f"{room}.py"})
        if size > ROOM_LINES[room] * 1.2:
            over.append(f"trader/{room}: {size} lines, allowed {ROOM_LINES[room]} + 20%")
    _expect_none(over, "simplify it, or move what belongs to another room there")


def test_every_file_is_short() -> None:
    sizes = [(_name(path), _lines(path)) for path in _sources()]
    _expect_ratchet(sizes, LONG_FILES, FILE_LINES, FILE_LINES_EVER, "split the file by what it is about")


def test_every_function_is_short() -> None:
    sizes = [(place, _length(function)) for place, function in _functions()]
    _expect_ratchet(sizes, LONG_FUNCTIONS, FUNCTION_LINES, FUNCTION_LINES_EVER, "name its parts as functions")


def test_half_of_the_functions_are_very_short() -> None:
    median = statistics.median(_length(function) for _, function in _functions())
    assert median <= MEDIAN_FUNCTION_LINES, f"the median function has {median} lines, allowed {MEDIAN_FUNCTION_LINES}"


def test_no_class_has_too_many_public_methods() -> None:
    over = []
    for place, node in _classes():
        public = {item.name for item in node.body if isinstance(item, Function) and not item.name.startswith("_")}
        if len(public) > PUBLIC_METHODS:
            over.append(f"{place}: {len(public)} public methods, allowed {PUBLIC_METHODS}")
    _expect_none(over, "find the second class in it")


def test_no_function_takes_too_many_parameters() -> None:
    over = []
    for place, function in _functions():
        taken = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        count = len([parameter for parameter in taken if parameter.arg not in {"self", "cls"}])
        if count > PARAMETERS:
            over.append(f"{place}: {count} parameters, allowed {PARAMETERS}")
    _expect_none(over, "give what belongs together a name and pass that")


def test_no_function_nests_too_deeply() -> None:
    deep = [(place, _depth(function.body)) for place, function in _functions()]
    over = [f"{place}: {depth} levels, allowed {NESTING}" for place, depth in deep if depth > NESTING]
    _expect_none(over, "return early, or name the inner part as a function")


def test_every_module_and_public_name_has_a_docstring() -> None:
    bare = [_name(path) for path in _sources() if not ast.get_docstring(_tree(path))]
    for path in _sources():
        bare += [f"{_name(path)}:{name}" for name, node in _public(_tree(path)) if not ast.get_docstring(node)]
    _expect_none(bare, "say in one imperative sentence what it does, then only what types cannot say")


def test_names_say_what_things_are() -> None:
    named = [(_name(path), path.stem) for path in _sources()]
    named += [(place, node.name) for place, node in [*_functions(), *_classes()]]
    poor = [f"{place}: {name}" for place, name in named if _is_poor(name)]
    _expect_none(poor, "name it for what it holds or does, not utils, helper, manager or base_")


def test_readme_draws_the_real_tree() -> None:
    block = re.search(r"^```\w*\ntrader/\n(.*?)^```", _readme(), re.DOTALL | re.MULTILINE)
    assert block, "README.md has no tree of rooms: a fenced block whose first line is `trader/`"
    drawn = set(re.findall(r"^  (\w+/|\w+\.py)", block[1], re.MULTILINE))
    real = {f"{room}/" if (PACKAGE / room).is_dir() else f"{room}.py" for room in _rooms()}
    assert drawn == real, "README.md's tree of rooms is not what lies in trader/: one line per room"


def test_readme_names_every_strategy() -> None:
    from trader.strategies import STRATEGIES

    missing = [name for name in STRATEGIES if f"`{name}`" not in _readme()]
    _expect_none(missing, "add the strategy to README.md's table of strategies")


def test_every_strategy_file_is_registered() -> None:
    from trader.strategies import STRATEGIES

    registered = {strategy.__name__ for strategy in STRATEGIES.values()}
    written = {
        node.name: place
        for place, node in _classes()
        if place.startswith("trader/strategies/")
        and any(isinstance(base, ast.Name) and base.id == "Strategy" for base in node.bases)
    }
    assert written, "no strategy was found in trader/strategies: has the base class another name?"
    unregistered = [place for name, place in written.items() if name not in registered]
    _expect_none(unregistered, "add it to STRATEGIES in trader/strategies/__init__.py")


def test_every_config_loads() -> None:
    from trader.config import load

    paths = sorted(path for path in (ROOT / "configs").iterdir() if path.suffix in {".json", ".toml"})
    assert paths, "configs/ holds no configuration"
    for path in paths:
        assert load(path).strategies, f"{path.name} names no strategy"


def test_log_events_are_well_formed() -> None:
    poor = [f"{place}: {name}" for place, name in _log_events() if not name or not EVENT_NAME.fullmatch(name)]
    _expect_none(poor, "write a literal `noun.past_participle` in lower snake case; values go into keywords")


def test_nothing_else_lies_at_the_top_level() -> None:
    ignored = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()}
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - ignored
    _expect_none(sorted(visible - TOP_LEVEL_ALLOWED), "move it into one of the folders, or add it to .gitignore")
    _expect_none(sorted(TOP_LEVEL - visible), "put it back: it belongs to the top level")


def test_locks_name_no_host() -> None:
    named = [f"{_name(path)}: {line}" for path in LOCKS for line in path.read_text().splitlines() if "://" in line]
    _expect_none(named, "run scripts/lock: locks hold versions and hashes only, never where files come from")


def test_locks_pin_every_package_by_hash() -> None:
    for path in LOCKS:
        entries = re.split(r"\n(?=\S)", path.read_text().strip())
        loose = [entry for entry in entries if not re.search(r"==\S+.*--hash=sha256:[0-9a-f]{64}", entry, re.DOTALL)]
        _expect_none(loose, f"run scripts/lock: {path.name} must pin each package by version and hash")


def test_locks_hold_what_pyproject_asks_for() -> None:
    project = _pyproject()
    runtime, groups = project["project"]["dependencies"], project["dependency-groups"]
    run = [*runtime, *groups["build"], *project["build-system"]["requires"]]
    wanted = {"run": run, "dev": [*run, *groups["dev"]]}
    stale = []
    for path in LOCKS:
        pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(), re.MULTILINE))
        for requirement in map(Requirement, wanted[path.stem]):
            pin = pins.get(requirement.name.lower())
            if pin is None or pin not in requirement.specifier:
                stale.append(f"{path.name}: {requirement} is wanted, {pin} is pinned")
    _expect_none(stale, "run scripts/lock")


def test_runtime_dependencies_are_the_agreed_ones() -> None:
    names = {Requirement(text).name.lower() for text in _pyproject()["project"]["dependencies"]}
    _expect_none(sorted(names - RUNTIME_DEPENDENCIES), "do without, or agree on it and add it to RUNTIME_DEPENDENCIES")


def test_every_core_room_is_kept_from_io() -> None:
    contracts = _pyproject()["tool"]["importlinter"]["contracts"]
    guarded = {module for contract in contracts for module in contract.get("source_modules", [])}
    open_rooms = [room for room in sorted(CORE & _rooms()) if f"trader.{room}" not in guarded]
    _expect_none(open_rooms, "name it in the import contract `the core does no I/O` in pyproject.toml")


def test_programs_may_be_executed() -> None:
    programs = [ROOT / ".ci" / "run", *(ROOT / "scripts" / name for name in ("trader", "test", "check", "lock"))]
    _expect_none([_name(path) for path in programs if not path.stat().st_mode & 0o100], "chmod +x")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "./scripts/test" in _readme(), "README.md must show the test command"
    assert re.search(r"^scripts/test$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE), ".ci/run must run it"


def _expect_none(places: list[str], remedy: str) -> None:
    assert not places, f"{remedy}:\n" + "\n".join(f"  {place}" for place in places)


def _expect_ratchet(sizes: list[tuple[str, int]], excepted: dict[str, int], limit: int, ever: int, remedy: str) -> None:
    """Fail for what is over ``limit`` and not excepted at that size, and for exceptions nobody needs."""
    over = []
    for place, size in sizes:
        allowed = min(excepted.get(place, limit), ever)
        if size > allowed:
            over.append(f"{place}: {size} lines, allowed {allowed}")
    _expect_none(over, f"{remedy} (or except it here, with the reason, up to {ever})")
    needless = [place for place, size in excepted.items() if size <= limit or (place, size) not in sizes]
    _expect_none(needless, "lower or remove the exception: the place is smaller now, or gone")


@functools.cache
def _sources() -> tuple[Path, ...]:
    return tuple(sorted(PACKAGE.rglob("*.py")))


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def _readme() -> str:
    return (ROOT / "README.md").read_text()


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _rooms() -> set[str]:
    """Return the names of the rooms and of the files that stand beside them."""
    return {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in _sources()} - {"__init__", "__main__"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def _length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _functions() -> Iterator[tuple[str, Function]]:
    return ((place, node) for place, node in _definitions() if isinstance(node, Function))


def _classes() -> Iterator[tuple[str, ast.ClassDef]]:
    return ((place, node) for place, node in _definitions() if isinstance(node, ast.ClassDef))


def _definitions() -> Iterator[tuple[str, Function | ast.ClassDef]]:
    for path in _sources():
        yield from _inside(_tree(path), f"{_name(path)}:")


def _inside(scope: ast.AST, prefix: str) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, Function | ast.ClassDef):
            yield f"{prefix}{node.name}", node
            yield from _inside(node, f"{prefix}{node.name}.")
        else:
            yield from _inside(node, prefix)


def _public(scope: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Yield what others may name in ``scope``; not setters and overloads, which share the docstring of another."""
    for node in scope.body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
        if not marks & {"setter", "overload"}:
            yield f"{prefix}{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from _public(node, f"{prefix}{node.name}.")


def _depth(body: list[ast.stmt], level: int = 0) -> int:
    """Return how deep blocks nest; an ``elif`` is no deeper than its ``if``; a function inside counts for itself."""
    deepest = level
    for node in body:
        if isinstance(node, _BLOCKS):
            deepest = max(deepest, *(_depth(part, inner) for part, inner in _parts(node, level)))
    return deepest


def _parts(node: ast.stmt, level: int) -> Iterator[tuple[list[ast.stmt], int]]:
    yield [], level + 1
    for part in (getattr(node, field, []) for field in ("body", "orelse", "finalbody")):
        is_elif = isinstance(node, ast.If) and part is node.orelse and len(part) == 1 and isinstance(part[0], ast.If)
        yield part, level if is_elif else level + 1
    for branch in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
        yield branch.body, level + 1


def _is_poor(name: str) -> bool:
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]
    return bool(BANNED_WORDS & set(words)) or (len(words) > 1 and words[0] == "base")


def _log_events() -> Iterator[tuple[str, str | None]]:
    """Yield the name of every event that is logged, None where it is not a literal.

    That is the first argument of ``log.info(…)`` and its like, and what a table gives as ``("info", "order.filled")``.
    """
    for path in _sources():
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call) and _is_log_call(node.func):
                first = node.args[0] if node.args else None
                yield f"{_name(path)}:{node.lineno}", _literal(first)
            elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and _literal(node.elts[0]) in LOG_LEVELS:
                yield f"{_name(path)}:{node.lineno}", _literal(node.elts[1])


def _is_log_call(function: ast.expr) -> bool:
    if not isinstance(function, ast.Attribute) or function.attr not in LOG_LEVELS:
        return False
    owner = function.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return name.lstrip("_") in {"log", "logger"}


def _literal(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
