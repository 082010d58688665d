"""API keys: from credential files or the environment, checked for what people get wrong when they paste them.

Alpaca's client library reads no variable by itself. We take ``APCA_API_KEY_ID`` and ``APCA_API_SECRET_KEY`` and the
names that its examples and other programs use. Keys never stand in a settings file and never in a message.
Source: systemd, "System and Service Credentials" (files named after the credential in ``$CREDENTIALS_DIRECTORY``).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from trader.config.files import shown
from trader.errors import CredentialsError, Problem

KEY_NAMES = ("APCA_API_KEY_ID", "ALPACA_API_KEY")
SECRET_NAMES = ("APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY", "ALPACA_API_SECRET")
FOLDER = "CREDENTIALS_DIRECTORY"
MAX_LENGTH = 256  # Alpaca's secrets have 40 or 44 characters; what is far longer is another file

KeyKind = Literal["paper", "live"]

_KINDS: dict[str, KeyKind] = {"PK": "paper", "AK": "live"}
_QUOTES = "\"'`“”‘’"
_SHOWN_END = 4  # characters of a key id that are shown; enough to tell two keys apart

EXPORTS = """\
  export APCA_API_KEY_ID="your_key"
  export APCA_API_SECRET_KEY="your_secret\""""
WHERE = "Keys for paper trading are free: app.alpaca.markets, paper account, API Keys."
MISSING = f"""\
Missing Alpaca API credentials. Set both environment variables:
{EXPORTS}
{WHERE}
Without keys, `trader run` trades a simulated market."""


@dataclass(frozen=True)
class Credentials:
    """One key of one account; ``origin`` says for people where it came from, ``folder`` is set when from files."""

    key_id: str = field(repr=False)
    secret: SecretStr = field(repr=False)
    origin: str
    folder: Path | None = None

    @property
    def kind(self) -> KeyKind | None:
        """Return what the key opens as far as its first letters tell, None where they do not."""
        return _KINDS.get(self.key_id[:2])

    @property
    def masked(self) -> str:
        """Return the key id as it may be shown: ``PK…WXYZ``."""
        return f"{self.key_id[:2]}…{self.key_id[-_SHOWN_END:]}"


def load_credentials(env: Mapping[str, str]) -> Credentials | None:
    """Return the key in the files of ``$CREDENTIALS_DIRECTORY``, else the one in ``env``; None where there is none.

    Raises:
        CredentialsError: half a pair, two different values, a value that cannot be one, or a file that cannot be read.
    """
    folder = Path(env[FOLDER]) if env.get(FOLDER) else None
    if folder and (values := _files(folder)):
        return _pair(values, f"files in {shown(folder)}", folder)
    return _pair(env, "environment", None)


def given(key_id: str | None, secret: str | None) -> Credentials | None:
    """Return the key that a program passes, checked as one from the environment is.

    Raises:
        CredentialsError: half a pair, or a value that cannot be one.
    """
    values = {KEY_NAMES[0]: key_id, SECRET_NAMES[0]: secret}
    return _pair({name: value for name, value in values.items() if value is not None}, "program", None)


def _pair(values: Mapping[str, str], origin: str, folder: Path | None) -> Credentials | None:
    """Make credentials of the values that have one of our names; None when there are none at all."""
    keys, secrets = _named(values, KEY_NAMES), _named(values, SECRET_NAMES)
    if not keys and not secrets:
        return None
    problems = [*_flaws(keys, KEY_NAMES[0], origin), *_flaws(secrets, SECRET_NAMES[0], origin)]
    if not problems and set(keys.values()) & set(secrets.values()):
        problems = [Problem(SECRET_NAMES[0], "is the same as the key id; Alpaca shows the secret once, beside the id")]
    if not problems and _are_swapped(*keys.values(), *secrets.values()):
        message = f"and {SECRET_NAMES[0]} look swapped: an id begins with {' or '.join(_KINDS)}; exchange them"
        problems = [Problem(KEY_NAMES[0], message)]
    if problems:
        raise CredentialsError(problems)
    (key_id,), (secret,) = keys.values(), secrets.values()
    return Credentials(key_id, SecretStr(secret), origin, folder)


def _are_swapped(key_id: str, secret: str) -> bool:
    return key_id[:2] not in _KINDS and secret[:2] in _KINDS and len(secret) < len(key_id)


def _named(values: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Return the values under ``names``; a second name with the same value is no second value."""
    found = {name: values[name] for name in names if name in values}
    return {name: value for name, value in found.items() if value not in list(found.values())[: [*found].index(name)]}


def _flaws(found: Mapping[str, str], name: str, origin: str) -> Iterator[Problem]:
    if not found:
        yield Problem(name, f"is missing in the {origin}, while its other half is there; set both or neither")
    elif len(found) > 1:
        yield Problem(" and ".join(found), f"hold different values in the {origin}; keep one of them")
    for given, value in found.items():
        if flaw := _flaw(value):
            yield Problem(given, flaw)


def _flaw(value: str) -> str:
    """Say what makes a value no key, without showing it."""
    if not value:
        return "is set but empty; give it its value, or unset both halves to trade a simulated market"
    if value[0] in _QUOTES or value[-1] in _QUOTES:
        return "has quotation marks as part of its value; write it without them"
    if any(character.isspace() for character in value):
        return "has a space or a line break in its value; copy it again, from end to end"
    if not (value.isascii() and value.isprintable()):
        return "has characters that no key has; copy it again from Alpaca's page"
    if value.lower().startswith(("your_", "<", "$")):
        return "is still the placeholder of an example; put the key of your account in its place"
    return f"is longer than {MAX_LENGTH} characters, so it is no key" if len(value) > MAX_LENGTH else ""


def _files(folder: Path) -> dict[str, str]:
    """Read the files of our names in ``folder``; the line break at a file's end is not part of its value."""
    if not os.path.isdir(folder):  # noqa: PTH112 -- Path.is_dir raises where the folder above cannot be searched
        raise CredentialsError([Problem(FOLDER, f"names {shown(folder)}, which is no folder; correct or unset it")])
    values: dict[str, str] = {}
    for path in (folder / name for name in (*KEY_NAMES, *SECRET_NAMES)):
        try:
            with path.open("rb") as file:
                values[path.name] = file.read(MAX_LENGTH + 2).decode(errors="replace").rstrip("\r\n")
        except FileNotFoundError:
            continue
        except OSError as error:
            why = f"cannot be read: {error.strerror}; let the user that runs trader read it (mode 0400)"
            raise CredentialsError([Problem(shown(path), why)]) from None
    return values
