"""The command line: one module per verb, imported when that verb is called. Parses, calls a shell, shows the answer.

A verb's module holds a click command named ``command`` that returns its exit code (None: 0) and imports what it needs
inside, so that ``trader --help`` answers at once and imports click only. Data goes to standard output, everything else
to standard error. No traceback reaches the screen: what people can mend is a TraderError, anything else is written to a
file that is named.

Exit codes: 0 done, 1 failure, 2 usage, 3 settings, data or account, 4 credentials, 5 feed or broker lost for good,
6 the run ended while the whole desk was halted, 7 no desk runs there or it does not answer, 8 a check found a problem,
130 interrupted.
"""

import errno
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from trader import __version__
from trader.errors import TraderError

VERBS = {
    "run": ("trader.cli.run", "Trade the strategies of a settings file, or the five default ones."),
    "halt": ("trader.cli.halt", "Open nothing more, for one strategy or all; a restart keeps it."),
    "pause": ("trader.cli.pause", "Only reduce, for one strategy or all."),
    "flatten": ("trader.cli.flatten", "Close every position of one strategy or all, and pause."),
    "resume": ("trader.cli.resume", "Trade again after a halt, a pause or a flatten."),
    "override": ("trader.cli.override", "Let one order pass a rule: one person asks, another one agrees."),
    "trades": ("trader.cli.trades", "List executions: what was bought and sold, and what it earned."),
    "why": ("trader.cli.why", "Show what became of a strategy's decisions: ordered, shrunk or refused, and by what."),
    "risk": ("trader.cli.risk", "Show what today's positions may lose, and what a stress would do to them."),
    "reconcile": ("trader.cli.reconcile", "Compare books and account, and settle what differs."),
    "journal": ("trader.cli.journal", "Look at the journal, check it, copy it."),
    "replay": ("trader.cli.replay", "Make the decisions of a recorded run again, and compare."),
    "check": ("trader.cli.check", "Check a settings file without running it."),
    "new": ("trader.cli.new", "Write the beginnings of a strategy, or a filter, of your own."),
    "ls": ("trader.cli.ls", "List what can be named in a settings file."),
    "config": ("trader.cli.config_verbs", "Describe settings files."),
    "exchange": ("trader.cli.exchange", "Serve an exchange that speaks as Alpaca does, on this machine."),
    "storm": ("trader.cli.storm", "Try the desk in a world that fails on purpose, in seeds that replay."),
    "doctor": ("trader.cli.doctor", "Check machine, keys, account and market, and say what to do."),
}

INTERRUPTED = 130
_WHOLE = 1000  # letters: no sentence is as long, and click cuts at a line's end otherwise
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


class HintingGroup(click.Group):
    """A group of commands that says what was probably meant by an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command named first in ``args``."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            from trader.registry import did_you_mean

            hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise click.UsageError(f"no such command: {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with its whole first sentence."""
        with formatter.section("Commands"):
            commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
            formatter.write_dl([(name, one.get_short_help_str(limit=_WHOLE)) for name, one in commands if one])


class LazyGroup(HintingGroup):
    """The verbs of :data:`VERBS`; only the one that is called is imported, help and completion import none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        if cmd_name not in VERBS:
            return None
        module: Any = importlib.import_module(VERBS[cmd_name][0])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a verb from the table, or an option."""
        verbs = [CompletionItem(verb, help=text) for verb, (_, text) in VERBS.items() if verb.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="trader %(version)s")
def command() -> None:
    """Run many trading strategies on one broker account.

    Without keys and without a network: `trader run` trades five strategies on a simulated market.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (None: the program's own) and return its exit code."""
    _mend_streams()
    try:
        code = command.main(arguments, prog_name="trader", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        sys.stdout = io.StringIO()  # who reads our output has closed it: nobody is left to tell
        return 1
    except Exception as error:  # noqa: BLE001 -- no traceback on the screen, whatever happened
        return _explain(error)


def _mend_streams() -> None:
    """Let nothing that is printed fail for the state or the alphabet of a standard stream."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one; no later file may come to have it
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere() -> io.TextIOWrapper:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 -- it lives as long as the process


def _explain(error: Exception) -> int:
    """Say what happened and return the exit code."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    code = 1
    if isinstance(error, TraderError):
        text, code = str(error), error.exit_code
    elif isinstance(error, OSError) and error.errno in _UNWRITABLE:
        text = f"cannot write: {error.strerror}"
    else:
        text = _keep(error)
    click.echo(f"error: {text}", err=True)
    return code


def _keep(error: Exception) -> str:
    """Write the traceback to a file (``TRADER_DEBUG=1``: to the screen too) and return what to say."""
    import tempfile

    if os.environ.get("TRADER_DEBUG"):
        traceback.print_exception(error)
    summary = " ".join(f"{type(error).__name__}: {error}".split())
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="trader-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return f"unexpected {summary} (set TRADER_DEBUG=1 to see where)"
    return f"unexpected {summary}; please report it with {file.name}, which says where"
