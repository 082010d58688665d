"""The program as a whole: quick to help, clear about mistakes, and never a traceback on the screen."""

import errno
import importlib
import io
import os
import re
import subprocess
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

import trader
from tests.cli.commands import PROGRAM, run, run_line
from tests.conftest import ROOT
from trader.cli import VERBS, command, main
from trader.errors import ConfigError, Problem, TraderError

HEAVY = {"alpaca", "pandas", "numpy", "duckdb", "pydantic", "structlog", "asyncio", "rich", "msgspec", "talib"}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Give a list whose only entry the verb ``check`` will raise."""
    errors: list[BaseException] = []

    @click.command
    def check() -> None:
        raise errors[0]

    monkeypatch.setattr("trader.cli.check.command", check)
    return errors


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("check", "--help"), ("new", "strategy", "--help")])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    done = run(*words, PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "click" in imported
    assert not HEAVY & imported


def test_help_imports_no_verb() -> None:
    done = run("--help", PYTHONPROFILEIMPORTTIME="1")
    assert "trader.cli" in done.stderr
    assert "trader.cli." not in done.stderr


def test_help_lists_every_verb_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"{verb} {text}" in shown for verb, (_, text) in VERBS.items())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_a_command_that_explains_itself(verb: str) -> None:
    found = importlib.import_module(VERBS[verb][0]).command
    assert isinstance(found, click.Command)
    assert found.help


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"trader {trader.__version__}\n"


def test_an_unknown_verb_is_told_with_what_was_probably_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc"]) == 2
    assert "no such command: 'chekc'; did you mean 'check'?" in capsys.readouterr().err


def test_a_verb_like_no_other_is_told_with_all_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zzz"]) == 2
    assert "no such command: 'zzz'; there are run, halt, pause, flatten, resume" in capsys.readouterr().err


def test_an_unknown_second_word_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "strategy"]) == 2
    assert "did you mean 'strategies'?" in capsys.readouterr().err


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--jsn", "x"]) == 2
    assert "--jsn" in capsys.readouterr().err


def test_completion_offers_verbs_and_options_from_the_table() -> None:
    complete = ShellComplete(command, {}, "trader", "_TRADER_COMPLETE")
    assert [item.value for item in complete.get_completions([], "")] == list(VERBS)
    assert [item.value for item in complete.get_completions([], "c")] == ["check", "config"]
    assert "--version" in [item.value for item in complete.get_completions([], "--")]
    assert [item.value for item in complete.get_completions(["ls"], "")] == ["filters", "strategies"]


def test_completion_imports_nothing_heavy() -> None:
    done = run(_TRADER_COMPLETE="bash_complete", COMP_WORDS="trader ", COMP_CWORD="1", PYTHONPROFILEIMPORTTIME="1")
    assert "plain,check" in done.stdout
    assert "trader.cli." not in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (TraderError("the venue is gone"), 1, "error: the venue is gone\n"),
        (ConfigError([Problem("a.b", "is wrong")]), 3, "error: a.b: is wrong\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "error: cannot write: No space left on device\n"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, ""),
        (KeyboardInterrupt(), 130, "\n"),
        (click.Abort(), 130, ""),
    ],
)
def test_trouble_is_one_line_and_an_exit_code(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    failing.append(error)
    try:
        ended = main(["check"])
    except SystemExit as left:  # click ends by itself when the pipe is broken
        ended = int(str(left.code))
    assert (ended, capsys.readouterr().err) == (code, said)


def test_a_verb_may_return_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trader.cli.check.command", click.Command("check", callback=lambda: 7))
    assert main(["check"]) == 7


def test_a_bug_is_one_line_that_names_the_file_with_the_traceback(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing.append(AssertionError("cash\nis gone"))
    assert main(["check"]) == 1
    (file,) = tmp_path.iterdir()
    said = f"error: unexpected AssertionError: cash is gone; please report it with {file}, which says where\n"
    assert capsys.readouterr().err == said
    assert re.search(r"Traceback .*test_main\.py.*AssertionError: cash\nis gone", file.read_text(), re.DOTALL)


def test_a_bug_is_told_even_where_no_file_can_be_written(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    failing.append(ValueError("odd"))
    assert main(["check"]) == 1
    assert capsys.readouterr().err == "error: unexpected ValueError: odd (set TRADER_DEBUG=1 to see where)\n"


def test_a_bug_shows_its_traceback_to_those_who_ask(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TRADER_DEBUG", "1")
    failing.append(ValueError("odd"))
    assert main(["check"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("trader ls strategies >&-", 0, ""),
        ("trader ls strategies <&- >&- 2>&-", 0, ""),
        ("trader check nowhere.json <&- >&- 2>&-", 3, ""),
        ("trader --help >/dev/full", 1, "error: cannot write: No space left on device\n"),
    ],
)
def test_a_standard_stream_may_be_closed_or_full(line: str, code: int, said: str) -> None:
    done = run_line(line)
    assert (done.returncode, done.stderr) == (code, said)


@pytest.mark.parametrize("arguments", [["config", "schema"], ["--help"]])
def test_a_reader_that_is_gone_is_no_error_on_the_screen(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        line = [*PROGRAM, *arguments]
        done = subprocess.run(line, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_pipe_that_breaks_at_the_very_end_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr("trader.cli.check.command", click.Command("check", callback=lambda: 0))
    monkeypatch.setattr("sys.stdout", Broken())
    assert main(["check"]) == 1
    assert capsys.readouterr().err == ""


def test_letters_that_the_terminal_does_not_know_are_escaped() -> None:
    done = run("ls", "strategies", PYTHONIOENCODING="latin-1")
    assert done.returncode == 0
    assert r"\u2212" in done.stdout


@pytest.mark.parametrize("group", ["override", "journal", "new", "ls"])
def test_a_groups_help_has_whole_sentences(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([group, "--help"]) == 0
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]
