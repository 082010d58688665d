"""API keys: found where people put them, refused with the remedy where they are none, and never shown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.config import credentials as credentials_module
from trader.config.credentials import MISSING, Credentials, load_credentials
from trader.errors import CredentialsError

KEY, SECRET = "PKTESTTESTTESTTEST1", "s3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3cr"
OTHER = "AKLIVELIVELIVELIVE1"


def env(key: str | None = KEY, secret: str | None = SECRET, **more: str) -> dict[str, str]:
    pair = {"APCA_API_KEY_ID": key, "APCA_API_SECRET_KEY": secret}
    return {name: value for name, value in pair.items() if value is not None} | more


def found(environment: dict[str, str]) -> Credentials:
    credentials = load_credentials(environment)
    assert credentials is not None
    return credentials


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(CredentialsError) as caught:
        load_credentials(environment)
    assert caught.value.exit_code == 4
    return str(caught.value)


def folder(path: Path, **files: str) -> dict[str, str]:
    for name, text in files.items():
        (path / name).write_bytes(text.encode())
    return {"CREDENTIALS_DIRECTORY": str(path)}


def test_a_key_is_found_in_the_environment() -> None:
    credentials = found(env())
    assert (credentials.key_id, credentials.secret.get_secret_value()) == (KEY, SECRET)
    assert credentials.origin == "environment"
    assert credentials.kind == "paper"
    assert credentials.masked == "PK…EST1"


@pytest.mark.parametrize("secret_name", ["ALPACA_SECRET_KEY", "ALPACA_API_SECRET", "APCA_API_SECRET_KEY"])
def test_the_names_of_other_programs_are_understood(secret_name: str) -> None:
    assert found({"ALPACA_API_KEY": KEY, secret_name: SECRET}).key_id == KEY


def test_no_key_at_all_is_no_error() -> None:
    assert load_credentials({"PATH": "/bin"}) is None


def test_what_is_said_where_keys_are_needed_can_be_copied() -> None:
    assert MISSING.startswith("Missing Alpaca API credentials")
    assert '\n  export APCA_API_KEY_ID="your_key"\n  export APCA_API_SECRET_KEY="your_secret"\n' in MISSING


def test_a_program_may_pass_a_key_which_is_checked_alike() -> None:
    credentials = credentials_module.given(KEY, SECRET)
    assert credentials is not None
    assert (credentials.masked, credentials.origin) == ("PK…EST1", "program")
    assert credentials_module.given(None, None) is None
    with pytest.raises(CredentialsError, match="APCA_API_SECRET_KEY: is missing in the program"):
        credentials_module.given(KEY, None)
    with pytest.raises(CredentialsError, match="is set but empty"):
        credentials_module.given("", SECRET)


def test_credential_files_come_before_the_environment(tmp_path: Path) -> None:
    files = folder(tmp_path, APCA_API_KEY_ID=f"{OTHER}\n", APCA_API_SECRET_KEY=f"{SECRET}\r\n")
    credentials = found(env() | files)
    assert (credentials.key_id, credentials.secret.get_secret_value()) == (OTHER, SECRET)
    assert credentials.kind == "live"
    assert credentials.folder == tmp_path
    assert credentials.origin == f"files in {tmp_path}"


def test_a_folder_of_other_credentials_leaves_the_environments(tmp_path: Path) -> None:
    assert found(env() | folder(tmp_path, database_password="x")).origin == "environment"


def test_half_a_pair_in_files_is_not_completed_from_elsewhere(tmp_path: Path) -> None:
    said = refusal(env() | folder(tmp_path, APCA_API_KEY_ID=KEY))
    assert said == (
        f"APCA_API_SECRET_KEY: is missing in the files in {tmp_path}, while its other half is there;"
        " set both or neither"
    )


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    said = refusal({"CREDENTIALS_DIRECTORY": str(tmp_path / "gone")})
    assert said == f"CREDENTIALS_DIRECTORY: names {tmp_path}/gone, which is no folder; correct or unset it"


def test_a_file_that_cannot_be_read_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "APCA_API_KEY_ID").mkdir()
    said = refusal(folder(tmp_path, APCA_API_SECRET_KEY=SECRET))
    assert said.startswith(f"{tmp_path}/APCA_API_KEY_ID: cannot be read: Is a directory; let the user")


@pytest.mark.parametrize(
    ("environment", "name"),
    [(env(secret=None), "APCA_API_SECRET_KEY"), (env(key=None), "APCA_API_KEY_ID")],
)
def test_half_a_pair_names_the_half_that_is_missing(environment: dict[str, str], name: str) -> None:
    assert refusal(environment) == (
        f"{name}: is missing in the environment, while its other half is there; set both or neither"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "is set but empty"),
        (f'"{KEY}"', "has quotation marks as part of its value"),
        (f"“{KEY}”", "has quotation marks as part of its value"),
        (f"{KEY}\n", "has a space or a line break in its value"),
        (f" {KEY}", "has a space or a line break in its value"),
        (f"{KEY[:5]} {KEY[5:]}", "has a space or a line break in its value"),
        (f"{KEY}ü", "has characters that no key has"),
        (f"{KEY}\x00", "has characters that no key has"),
        ("your_key", "is still the placeholder of an example"),
        ("<key>", "is still the placeholder of an example"),
        ("${KEY}", "is still the placeholder of an example"),
        ("K" * 300, "is longer than 256 characters"),
    ],
)
def test_what_people_paste_wrong_is_told_without_showing_it(value: str, said: str) -> None:
    text = refusal(env(key=value))
    assert text.startswith(f"APCA_API_KEY_ID: {said}")
    assert KEY not in text
    assert refusal(env(secret=value)).startswith(f"APCA_API_SECRET_KEY: {said}")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    lines = refusal(env(key="", secret='"x"')).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY"]


def test_two_names_with_different_values_are_refused() -> None:
    said = refusal(env(ALPACA_API_KEY=OTHER))
    assert said == "APCA_API_KEY_ID and ALPACA_API_KEY: hold different values in the environment; keep one of them"
    assert KEY not in said


def test_two_names_with_one_value_are_one() -> None:
    assert found(env(ALPACA_API_KEY=KEY, ALPACA_API_SECRET=SECRET)).key_id == KEY


def test_the_id_given_twice_is_no_pair() -> None:
    assert "is the same as the key id" in refusal(env(secret=KEY))


def test_a_key_of_unknown_kind_is_a_key() -> None:
    assert found(env(key="CKTESTTESTTEST")).kind is None


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40))
def test_no_secret_is_ever_shown(secret: str) -> None:
    marked = f"canary{secret}"
    try:
        shown = repr(load_credentials(env(secret=marked))) + str(load_credentials(env(secret=marked)))
    except CredentialsError as error:
        shown = str(error) + repr(error)
    assert "canary" not in shown
    assert KEY not in shown


def test_a_swapped_pair_is_told_without_showing_it() -> None:
    with pytest.raises(CredentialsError, match="APCA_API_KEY_ID: and APCA_API_SECRET_KEY look swapped") as caught:
        load_credentials({"APCA_API_KEY_ID": "s3cr3t" * 7, "APCA_API_SECRET_KEY": "PK" + "A" * 24})
    assert "s3c" not in str(caught.value)
    assert load_credentials({"APCA_API_KEY_ID": "CK" + "A" * 18, "APCA_API_SECRET_KEY": "PK" + "A" * 42})
