"""The keys of the local exchange's accounts."""

import hmac
from base64 import b32encode
from collections.abc import Mapping
from hashlib import blake2b

import msgspec

_ID_LENGTH, _SECRET_LENGTH = 26, 44  # as Alpaca's own since 2025
_PAPER, _LIVE = "PK", "AK"  # what Alpaca's keys of paper accounts begin with, and those of live ones


class Key(msgspec.Struct, frozen=True):
    """A pair that opens ``account``; its secret never shows itself."""

    id: str
    secret: str
    account: str

    def __repr__(self) -> str:
        return f"Key(id={self.id!r}, secret=…, account={self.account!r})"


Keys = Mapping[str, Key]  # by their ids


def key_for(account: str, *, seed: int, is_live: bool = False) -> Key:
    """Make the key of an account, the same one for the same seed: it opens nothing but a simulation."""
    prefix = _LIVE if is_live else _PAPER
    return Key(
        id=prefix + _letters("id", account, seed)[: _ID_LENGTH - len(prefix)],
        secret=_letters("secret", account, seed)[:_SECRET_LENGTH],
        account=account,
    )


def admitted(keys: Keys, key_id: str, secret: str) -> Key | None:
    """Return the key that was shown, None when it is unknown or its secret is another; ``keys`` is by id."""
    key = keys.get(key_id)
    return key if key and hmac.compare_digest(key.secret.encode(), secret.encode()) else None


def _letters(what: str, account: str, seed: int) -> str:
    return b32encode(blake2b(f"{what}\0{account}\0{seed}".encode(), digest_size=32).digest()).decode().rstrip("=")
