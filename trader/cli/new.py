"""``trader new …``: the beginnings of something of one's own, which run as written."""

import importlib.util
import keyword
import re
import shlex
import shutil
import sys
from pathlib import Path
from string import Template

import click

from trader.cli import HintingGroup

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([_-][A-Za-z0-9]+)*")
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+[0-9]*|[A-Z]+[0-9]*|[0-9]+")
_MAX_NAME = 50

_STRATEGY = Template('''\
"""$label: the idea in one sentence."""

from typing import Annotated

from pydantic import Field

from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.strategies import Context, Strategy


class $cls(Strategy):
    """Long while the fast average of the closes is above the slow one, else flat."""

    fast: Annotated[int, Field(ge=1, le=1000)] = 5
    """Bars of the fast average."""
    slow: Annotated[int, Field(ge=2, le=1000)] = 20
    """Bars of the slow average."""

    @property
    def warmup(self) -> int:
        """Return the bars that are needed before the first decision."""
        return max(self.fast, self.slow)

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Say what to hold after this bar: 1.0 is long, 0.0 flat, -1.0 short, None as before."""
        closes = ctx.closes(bar.symbol, self.warmup)
        if len(closes) < self.warmup:
            return None
        is_rising = closes[-self.fast :].mean() > closes[-self.slow :].mean()
        return Target(bar.symbol, 1.0 if is_rising else 0.0)
''')

_TEST = Template('''\
"""Tests of $cls."""

from pathlib import Path

from $module import $cls
from trader.config import load
from trader.model.signals import Target
from trader.testing import bars, decisions


def test_it_is_long_after_a_rise() -> None:
    rise = bars([100.0 + minute for minute in range(30)])
    assert decisions($cls(), rise)[-1] == Target("SPY", 1.0)


def test_it_is_flat_after_a_fall() -> None:
    fall = bars([100.0 - minute for minute in range(30)])
    assert decisions($cls(), fall)[-1] == Target("SPY", 0.0)


def test_it_is_silent_until_its_averages_exist() -> None:
    start = bars([100.0 + minute for minute in range(4)])
    assert decisions($cls(fast=2, slow=5), start) == [None] * 4


def test_its_settings_can_be_run() -> None:
    settings = load(Path(__file__).with_name("$module.json"))
    assert settings.strategies[0].strategy_type == "$module:$cls"
''')

_SETTINGS = Template("""\
{
  "strategies": [
    {
      "name": "$label",
      "strategy_type": "$module:$cls",
      "strategy_params": {
        "fast": 5,
        "slow": 20
      },
      "tickers": ["SPY", "BTC/USD"],
      "initial_cash": 10000.0,
      "min_warmup_bars": 20,
      "risk_config": {
        "max_position_size": 0.45,
        "max_daily_trades": 100,
        "max_daily_loss": 500.0
      }
    }
  ]
}
""")


_FILTER = Template('''\
"""$label: the idea in one sentence."""

from typing import Annotated

from pydantic import Field

from trader.director import Cut, Filter
from trader.model.orders import OrderIntent
from trader.model.views import PortfolioView


class $cls(Filter):
    """Bounds the dollars of one order to a share of the portfolio's equity."""

    max_frac: Annotated[float, Field(gt=0, le=1)] = 0.10
    """Most dollars of an order, as a fraction of equity: 0.10 is 10 %."""

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        """Say how much may be opened at most: Cut(0.0, limit, value) is nothing, None all that is asked for."""
        most = self.max_frac * view.equity
        asked = float(intent.qty * intent.decision_price)
        if asked <= most:
            return None
        return Cut(most / float(intent.decision_price), f"$${most:,.2f} an order", f"$${asked:,.2f}")
''')

_FILTER_TEST = Template('''\
"""Tests of $cls."""

from decimal import Decimal
from pathlib import Path

from $module import $cls
from trader.config import load
from trader.testing import GivenView, opening, ruled


def test_what_fits_passes_whole() -> None:
    ruling = ruled($cls(max_frac=0.10), opening("SPY", 100, price=100.0), GivenView(equity=100_000.0))
    assert ruling.intent.qty == Decimal(100)
    assert not ruling.trims


def test_what_goes_beyond_is_trimmed() -> None:
    ruling = ruled($cls(max_frac=0.10), opening("SPY", 250, price=100.0), GivenView(equity=100_000.0))
    assert ruling.intent.qty == Decimal(100)
    assert ruling.trims[0].value == "$$25,000.00"


def test_its_settings_can_be_run() -> None:
    settings = load(Path(__file__).with_name("$module.json"))
    assert settings.filters[0].name == "$module:$cls"
''')

_FILTER_SETTINGS = Template("""\
{
  "filters": [
    {
      "name": "$module:$cls",
      "max-frac": 0.10
    }
  ],
  "strategies": [
    {
      "name": "SPY_Adaptive",
      "strategy_type": "adaptive",
      "tickers": ["SPY", "BTC/USD"],
      "initial_cash": 10000.0,
      "risk_config": {
        "max_position_size": 0.45
      }
    }
  ]
}
""")


@click.group("new", cls=HintingGroup)
def command() -> None:
    """Write the beginnings of a strategy, or a filter, of your own."""


_FOLDER = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to write to; made if missing.  [default: the current one]",
)


@command.command
@click.argument("name")
@_FOLDER
def strategy(name: str, folder: Path) -> None:
    """Write a strategy called NAME, its test, and settings that run it."""
    _write(name, "Strategy", folder, (_STRATEGY, _TEST, _SETTINGS))


@command.command("filter")
@click.argument("name")
@_FOLDER
def filter_(name: str, folder: Path) -> None:
    """Write a filter called NAME, its test, and settings that run it."""
    _write(name, "Filter", folder, (_FILTER, _FILTER_TEST, _FILTER_SETTINGS))


def _write(name: str, kind: str, folder: Path, templates: tuple[Template, Template, Template]) -> None:
    """Write a class of a ``kind``, its test and its settings, and say what to do with them."""
    words = _words(name)
    module = "_".join(word.lower() for word in words)
    label = "".join(word[0].upper() + word[1:] for word in words)
    cls = label if label.endswith(kind) else f"{label}{kind}"
    paths = [folder / f"{module}.py", folder / f"test_{module}.py", folder / f"{module}.json"]
    _refuse(name, module, cls, files=paths)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, template in zip(paths, templates, strict=True):
            with path.open("x", encoding="utf-8") as out:
                out.write(template.substitute(module=module, cls=cls, label=label))
    except OSError as error:
        raise click.FileError(str(error.filename or folder), error.strerror) from error
    click.echo("\n".join(f"wrote {path}" for path in paths))
    click.echo("\nNext:\n" + "\n".join(f"  {line}" for line in _next_commands(module, folder)))


def _words(name: str) -> list[str]:
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise click.BadParameter(
            f"{name!r} is not a name; write it like mean_cross or MeanCross, at most {_MAX_NAME} letters and digits",
            param_hint="NAME",
        )
    return _WORDS.findall(name)


def _refuse(name: str, module: str, cls: str, *, files: list[Path]) -> None:
    """Refuse names that could not be imported or tested, and never replace a file."""
    reason = ""
    if existing := [str(file) for file in files if file.exists()]:
        reason = f"there is {', '.join(existing)} already; choose another name or folder"
    elif keyword.iskeyword(module) or cls in {"Strategy", "Filter"} or module.startswith("test"):
        reason = f"{name!r} means something else to Python or pytest; choose another name"
    elif module in sys.stdlib_module_names or importlib.util.find_spec(module):
        reason = f"a module {module!r} is installed already and would be imported in its place; choose another name"
    if reason:
        raise click.BadParameter(reason, param_hint="NAME")


def _next_commands(module: str, folder: Path) -> list[str]:
    python = shlex.quote(sys.executable)
    program = "trader" if shutil.which("trader") else f"{python} -m trader"
    change = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    missing = "" if importlib.util.find_spec("pytest") else "   (once pytest is installed)"
    return [
        f"{change}{program} check {module}.json",
        f"{change}{program} run --config {module}.json",
        f"{change}{python} -m pytest test_{module}.py{missing}",
    ]
