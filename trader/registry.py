"""Classes by name: built-in, from another package's entry point, or ``module:Class``.

Nothing is imported before it is asked for, and what fails to import fails alone: the rest of the list stays usable.
"""

import importlib
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from trader.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint  # slow to import, and rarely needed


@dataclass(frozen=True)
class Entry:
    """One name of a registry: its class, or the reason why it cannot be had."""

    name: str
    origin: str
    cls: type | None
    error: str = ""


class Registry:
    """The classes of one ``kind`` (``"strategy"``): ``builtins``, and the entry points of ``group``."""

    def __init__(self, kind: str, group: str, builtins: Mapping[str, type]) -> None:
        """Look at nothing yet."""
        self._kind = kind
        self._group = group
        self._builtins = builtins

    def names(self) -> list[str]:
        """Return the names that :meth:`load` knows, the built-in ones first."""
        return [*self._builtins, *self._entry_points]

    def allowed(self) -> str:
        """Return what may be given to :meth:`load`, for people: ``'momentum', 'rsi' or module:Class``."""
        return f"{', '.join(map(repr, self.names()))} or module:Class"

    def load(self, name: str) -> type:
        """Return the class of that name, importing it when it is not built in.

        Raises:
            ConfigError: the name is unknown, or what it names cannot be imported or is no class.
        """
        if name in self._builtins:
            return self._builtins[name]
        if ":" in name:
            return _load_class(name)
        if name in self._entry_points:
            return self._load_entry_point(name)
        raise ConfigError(f"must be one of {self.allowed()}, got {name!r}{did_you_mean(name, self.names())}")

    def entries(self) -> Iterator[Entry]:
        """Yield every name with its class, or with the reason why it cannot be loaded."""
        for name, cls in self._builtins.items():
            yield Entry(name, "built in", cls)
        for name, points in self._entry_points.items():
            origin = ", ".join(map(_describe, points))
            try:
                yield Entry(name, origin, self._load_entry_point(name))
            except ConfigError as error:
                yield Entry(name, origin, None, str(error))

    @cached_property
    def _entry_points(self) -> dict[str, list["EntryPoint"]]:
        """The entry points by name; a built-in name cannot be taken over by another package."""
        import importlib.metadata as installed

        found: dict[str, list[EntryPoint]] = {}
        for point in sorted(installed.entry_points(group=self._group), key=lambda point: (point.name, point.value)):
            if point.name not in self._builtins and point not in found.get(point.name, []):
                found.setdefault(point.name, []).append(point)
        return found

    def _load_entry_point(self, name: str) -> type:
        points = self._entry_points[name]
        if len(points) > 1:
            offers = " and ".join(map(_describe, points))
            raise ConfigError(
                f"{self._kind} {name!r} is offered twice, by {offers}; write the one meant as module:Class"
            )
        return _load_class(f"{points[0].module}:{points[0].attr}", f"{self._kind} {name!r} of {_describe(points[0])}: ")


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return ``; did you mean 'momentum'?`` for the nearest of ``allowed``, or nothing when none is near."""
    import difflib

    by_lower = {name.lower(): name for name in allowed}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""


def _describe(point: "EntryPoint") -> str:
    return f"{point.value} (package {point.dist.name})" if point.dist else point.value


def _load_class(reference: str, prefix: str = "") -> type:
    """Import ``module:Class``; whatever the module raises becomes a ConfigError that names its line."""
    module_name, _, class_name = reference.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), *class_name.split(".")]):
        raise ConfigError(f"{prefix}{reference!r} is not of the form module:Class, such as my_strategies:Breakout")
    try:
        with _current_folder():
            module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{prefix}cannot import {module_name!r}: {_reason(error, module_name)}") from error
    return _class_in(module, class_name, f"{prefix}module {module_name!r}")


def _class_in(module: ModuleType, class_name: str, where: str) -> type:
    found: type | ModuleType = module
    for part in class_name.split("."):
        classes = {name: value for name, value in vars(found).items() if isinstance(value, type)}
        if part not in classes:
            origin = getattr(module, "__file__", None) or "built in"
            raise ConfigError(f"{where} ({origin}) has no class {class_name!r}{did_you_mean(part, classes)}")
        found = classes[part]
    assert isinstance(found, type), class_name
    return found


@contextmanager
def _current_folder() -> Iterator[None]:
    """Import from the current folder too, after everything else: a file there must not replace an installed module."""
    folder = str(Path.cwd())
    if folder in sys.path:
        yield
        return
    sys.path.append(folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if folder in sys.path:  # a module may rearrange the path as it likes
            sys.path.remove(folder)


def _reason(error: BaseException, module: str) -> str:
    """Say what went wrong and where, without the import machinery's own frames."""
    if isinstance(error, ModuleNotFoundError) and error.name in {module, module.partition(".")[0]}:
        return f"there is no such module, neither installed nor in the current folder {Path.cwd()}"
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        return text  # it names its own file and line
    # The innermost line at the top level of a module is the one its author will recognise.
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name == "<module>"]
    return f"{text} ({lines[-1].filename}, line {lines[-1].lineno})" if lines else text
