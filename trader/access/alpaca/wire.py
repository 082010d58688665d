"""Frames of the market-data sockets to messages and back, in both encodings and for both sides.

A server's frame is an array of maps; a client's is one map. One message that cannot be read costs only itself: the
frame is then read message by message, and what stays unreadable becomes :class:`Unknown`.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Final

import msgspec

from trader.access.alpaca.wire_data import ClientMessage, ServerMessage
from trader.access.alpaca.wire_time import Stamp, extension
from trader.errors import WireError
from trader.model.time import iso

KEPT: Final = 1024  # bytes of a message we do not know that are kept: the largest known kind but a full book fits

# What decoding raises on bytes from outside: msgspec's own, text that is not UTF-8, arrays nested without end.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Unknown(msgspec.Struct, frozen=True):
    """A message of a kind or shape we do not know: its ``T`` if it has one, what was wrong, its first bytes."""

    kind: str
    why: str
    raw: bytes


class _Kind(msgspec.Struct):
    kind: str = msgspec.field(name="T", default="")


class Codec:
    """One of the two encodings; ``content_type`` asks a server for it, ``is_text`` tells the kind of its frames."""

    def __init__(self, module: ModuleType, *, content_type: str, is_text: bool, stamp: Callable[[int], Stamp]) -> None:
        """Build the decoders once; every connection uses the same."""
        self.content_type = content_type
        self.is_text = is_text
        self.stamp: Final = stamp  # nanoseconds UTC as this encoding writes a time
        self._frame = module.Decoder(list[ServerMessage])
        self._parts = module.Decoder(list[msgspec.Raw])
        self._message = module.Decoder(ServerMessage)
        self._kind = module.Decoder(_Kind)
        self._request = module.Decoder(ClientMessage)
        self._encode = module.Encoder().encode

    def decode(self, frame: bytes | str) -> list[ServerMessage | Unknown]:
        """Read a server's frame.

        Raises:
            WireError: it is not an array in this encoding.
        """
        try:
            messages: list[ServerMessage | Unknown] = self._frame.decode(frame)
        except UNREADABLE:
            return self._decode_singly(frame)
        return messages

    def encode(self, messages: Sequence[ServerMessage]) -> bytes:
        """Write a server's frame; for a text encoding it is UTF-8."""
        data: bytes = self._encode(messages)
        return data

    def decode_request(self, frame: bytes | str) -> ClientMessage:
        """Read a client's frame.

        Raises:
            WireError: it is no request; without the frame, which may hold a secret.
        """
        try:
            request: ClientMessage = self._request.decode(frame)
        except UNREADABLE as error:
            raise WireError(f"no request: {type(error).__name__}") from None
        return request

    def encode_request(self, request: ClientMessage) -> bytes:
        """Write a client's frame."""
        data: bytes = self._encode(request)
        return data

    def _decode_singly(self, frame: bytes | str) -> list[ServerMessage | Unknown]:
        try:
            parts: list[msgspec.Raw] = self._parts.decode(frame)
        except UNREADABLE as error:
            raise WireError(f"no frame: {error}", frame) from error
        return [self._decode_one(part) for part in parts]

    def _decode_one(self, part: msgspec.Raw) -> ServerMessage | Unknown:
        try:
            message: ServerMessage = self._message.decode(part)
        except UNREADABLE as error:
            return Unknown(self._kind_of(part), str(error), bytes(memoryview(part)[:KEPT]))
        return message

    def _kind_of(self, part: msgspec.Raw) -> str:
        try:
            kind: str = self._kind.decode(part).kind
        except UNREADABLE:
            return ""
        return kind[:40]


MSGPACK: Final = Codec(msgspec.msgpack, content_type="application/msgpack", is_text=False, stamp=extension)
JSON: Final = Codec(msgspec.json, content_type="application/json", is_text=True, stamp=iso)
