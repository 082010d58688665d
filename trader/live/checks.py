"""One thing that was looked at."""

from typing import Literal

from msgspec import Struct

Status = Literal["ok", "warn", "fail", "skip"]


class Check(Struct, frozen=True):
    """What was found under a name that stays the same; ``remedy`` says what to do, empty where nothing is needed."""

    name: str
    status: Status
    message: str
    remedy: str = ""
