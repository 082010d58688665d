"""Files as people have them: in two formats, with every number as written, or with a mistake that is named."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import ROOT
from trader.config import load
from trader.config.files import MAX_FILE_BYTES, read
from trader.errors import ConfigError

CONFIGS = sorted((ROOT / "configs").glob("*.json"))
COUNTS = {
    "guarded": 3,
    "market_etf_portfolio": 3,
    "multi_asset_portfolio": 3,
    "multi_trader_example": 10,
    "multi_trader_simple": 3,
    "sector_rotation": 3,
}


def written(folder: Path, content: str | bytes, name: str = "my.json") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def refusal(file: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        read(file)
    return str(refused.value).replace(str(file), file.name)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_the_examples_load(file: Path) -> None:
    assert len(load(file).strategies) == COUNTS[file.stem]


def test_money_is_read_as_written(tmp_path: Path) -> None:
    assert (
        str(read(written(tmp_path, '{"a": 10000.00, "b": [0.1]}')))
        == "{'a': Decimal('10000.00'), 'b': [Decimal('0.1')]}"
    )


def test_toml_says_the_same_as_json(tmp_path: Path) -> None:
    toml = """
        [[strategies]]
        name = "A"
        strategy_type = "momentum"
        tickers = ["SPY", "BTC/USD"]  # a comment
        initial_cash = 2500.50
        [strategies.strategy_params]
        momentum_threshold = 0.01
        [broker.simulated]
        slippage_bps = 1.5
    """
    json = """{
        "strategies": [{"name": "A", "strategy_type": "momentum", "tickers": ["SPY", "BTC/USD"],
        "initial_cash": 2500.50, "strategy_params": {"momentum_threshold": 0.01}}],
        "broker": {"simulated": {"slippage_bps": 1.5}}
    }"""
    config = load(written(tmp_path, toml, "my.TOML"))
    assert config == load(written(tmp_path, json))
    assert config.strategies[0].initial_cash == Decimal("2500.50")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert read(written(tmp_path, b"\xef\xbb\xbf{}")) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1,\n "b": }', ", line 2, column 7: not JSON: Expecting value"),
        ('{"a": 1,\n "b": [2,]\n}', "comma"),
        ('{"a": 1 // one\n}', "; JSON has no comments (TOML has)"),
        ("{'a': 1}", "; write text in double quotes"),
        ("", ": is empty; the least is"),
        (" \n", ": is empty; the least is"),
        (b'{"a": "\xe9"}', ": not UTF-8 text (byte 7)"),
        ("[" * 100_000, ": nested too deeply"),
        ('{"a": 1' + "0" * 5000 + "}", ": holds a number of thousands of digits"),
    ],
)
def test_a_mistake_in_json_is_told_with_line_and_column(tmp_path: Path, content: str | bytes, said: str) -> None:
    line = refusal(written(tmp_path, content))
    assert line.startswith("my.json")
    assert said in line
    assert "\n" not in line


def test_a_mistake_in_toml_is_told_with_line_and_column(tmp_path: Path) -> None:
    assert refusal(written(tmp_path, 'a = 1\nb = "', "my.toml")).startswith("my.toml: not TOML: ")
    assert "(at line 2, column 3)" in refusal(written(tmp_path, "a = 1\nb 2", "my.toml"))


def test_a_key_written_twice_is_refused_at_its_place(tmp_path: Path) -> None:
    file = written(tmp_path, '{"strategies": [{"name": "A", "tickers": ["SPY"], "name": "B", "strategy_type": "rsi"}]}')
    with pytest.raises(ConfigError, match=r"strategies\[0\]\.name: written twice; keep one of them"):
        load(file)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e99999999999999999999"])
def test_numbers_that_are_none_are_refused_at_their_place(tmp_path: Path, number: str) -> None:
    text = '{"strategies": [{"name": "A", "tickers": ["SPY"], "strategy_type": "rsi", "initial_cash": NUMBER}]}'
    with pytest.raises(ConfigError, match=r"strategies\[0\]\.initial_cash: must be a finite number"):
        load(written(tmp_path, text.replace("NUMBER", number)))


def test_a_missing_file_is_told_with_its_neighbour(tmp_path: Path) -> None:
    written(tmp_path, "{}", "simple.json")
    assert refusal(tmp_path / "simpel.json") == "simpel.json: no such file; did you mean 'simple.json'?"
    assert refusal(tmp_path / "nowhere" / "simple.json") == "simple.json: no such file"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path.name}: is a folder; name a file in it"


def test_other_formats_are_refused_by_name(tmp_path: Path) -> None:
    assert "YAML is not read" in refusal(written(tmp_path, "a: 1", "my.yaml"))


def test_a_file_that_never_ends_is_not_read_to_its_end(tmp_path: Path) -> None:
    assert "larger than 10 MB" in refusal(written(tmp_path, b" " * (MAX_FILE_BYTES + 1)))


def test_what_cannot_be_opened_is_told_with_the_reason() -> None:
    assert refusal(Path("a\0b")).endswith("cannot be read: embedded null byte")
    assert refusal(Path("x" * 5000)).endswith("cannot be read: File name too long")


def test_a_name_cannot_smuggle_terminal_codes() -> None:
    assert refusal(Path("a\n\x1b[31m.json")) == r"'a\n\x1b[31m.json': no such file"
