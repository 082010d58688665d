"""Reading a settings file: TOML or JSON, every number exactly as written."""

import json
import tomllib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from trader.config.findings import Doubled
from trader.errors import ConfigError, Problem
from trader.registry import did_you_mean

MAX_FILE_BYTES = 10_000_000  # ten thousand strategies take a third of it; more is a data file named by mistake


def read(path: Path) -> Any:  # noqa: ANN401 -- whatever the file holds
    """Return the data of a file: TOML where its suffix is ``.toml``, else JSON.

    Raises:
        ConfigError: it is missing, unreadable, empty or not in its format; with line and column.
    """
    text = _text(path)
    suffix = path.suffix.lower()
    if suffix in {".yaml", ".yml"}:
        raise _refusal(path, "YAML is not read; write JSON, or TOML in a file that ends in .toml")
    try:
        if suffix == ".toml":
            return tomllib.loads(text, parse_float=_decimal)
        return json.loads(text, parse_float=_decimal, parse_constant=Decimal, object_pairs_hook=Doubled.of)
    except json.JSONDecodeError as error:
        where = f", line {error.lineno}, column {error.colno}"
        raise _refusal(path, f"not JSON: {error.msg}{_json_hint(error)}", where) from None
    except tomllib.TOMLDecodeError as error:
        raise _refusal(path, f"not TOML: {error}") from None
    except RecursionError:
        raise _refusal(path, "nested too deeply") from None
    except ValueError:  # Python reads no integer longer than that
        raise _refusal(path, "holds a number of thousands of digits") from None


def _text(path: Path) -> str:
    """Read a text file of sensible size, with or without a byte order mark."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise _refusal(path, f"no such file{_neighbour(path)}") from None
    except IsADirectoryError:
        raise _refusal(path, "is a folder; name a file in it") from None
    except UnicodeDecodeError as error:
        raise _refusal(path, f"not UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise _refusal(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_FILE_BYTES:
        raise _refusal(path, f"larger than {MAX_FILE_BYTES // 1_000_000} MB; is it a settings file?")
    if not text.strip():
        raise _refusal(path, 'is empty; the least is {"strategies": [{"name": …, "strategy_type": …, "tickers": […]}]}')
    return text


def shown(path: Path) -> str:
    """Return the name of a file as it can be printed: no line breaks or terminal codes come through."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def _refusal(path: Path, message: str, where: str = "") -> ConfigError:
    return ConfigError([Problem(f"{shown(path)}{where}", message)])


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        return Decimal("Infinity")


def _json_hint(error: json.JSONDecodeError) -> str:
    rest = error.doc[error.pos :].lstrip()
    before = error.doc[: error.pos].rstrip()
    if rest[:1] in {"}", "]"} and before.endswith(","):
        return "; delete the comma before it"
    if rest.startswith(("//", "/*", "#")):
        return "; JSON has no comments (TOML has)"
    return "; write text in double quotes" if rest.startswith("'") else ""


def _neighbour(path: Path) -> str:
    try:
        return did_you_mean(path.name, [other.name for other in path.parent.iterdir()])
    except OSError:
        return ""
