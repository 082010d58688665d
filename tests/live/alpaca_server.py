"""A server on loopback that answers the account guard's questions as Alpaca does, or as a test wants."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from trader.model.time import ts_of, utc

KEY, SECRET = "PKTESTTESTTESTTEST1", "s3cr3tS3cr3tS3cr3tS3cr3t"
KEYS = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}

_ASSET = {"status": "active", "tradable": True, "shortable": True, "fractionable": True}


class AlpacaServer:
    """Answers by path, ``(status, body)``; a body of None is a page that is no JSON, as a proxy may send it."""

    def __init__(self) -> None:
        now = ts_of(datetime.now(UTC))  # noqa: TID251 -- its clock must agree with this machine's
        self.answers: dict[str, tuple[int, Any]] = {
            "/v2/account": (200, {"account_number": "PA123456789", "status": "ACTIVE", "equity": "100000.00"}),
            "/v2/clock": (
                200,
                {
                    "timestamp": f"{utc(now):%Y-%m-%dT%H:%M:%SZ}",
                    "is_open": False,
                    "next_open": "2026-11-23T09:30:00-05:00",
                    "next_close": "2026-11-23T16:00:00-05:00",
                },
            ),
            "/v2/assets": (200, [{"symbol": "BTC/USD", "class": "crypto", **_ASSET}]),
            "/v2/stocks/bars/latest": (200, {"bars": {"SPY": {"t": "2026-11-20T20:59:00Z", "c": 700.5}}}),
        }
        for symbol in ("SPY", "QQQ", "IWM", "AAPL", "MSFT", "GOOGL", "AMZN"):
            self.answers[f"/v2/assets/{symbol}"] = (200, {"symbol": symbol, "class": "us_equity", **_ASSET})
        self.asked: list[str] = []
        self.url = ""

    def answer(self, path: str, keys: tuple[str | None, str | None]) -> tuple[int, Any]:
        """Return status and body."""
        self.asked.append(path)
        if keys != (KEY, SECRET):
            return 401, {"message": "unauthorized."}
        return self.answers.get(urlsplit(path).path, (404, {"code": 40410000, "message": f"not found: {path}"}))

    @property
    def env(self) -> dict[str, str]:
        """Return the variables that lead a program here."""
        stream = self.url.replace("http", "ws")
        return {
            **KEYS,
            "APCA_API_BASE_URL": self.url,
            "APCA_API_DATA_URL": self.url,
            "APCA_API_STREAM_URL": stream,
        }


@contextmanager
def serving() -> Iterator[AlpacaServer]:
    """Serve until the block ends."""
    alpaca = AlpacaServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys = (self.headers.get("APCA-API-KEY-ID"), self.headers.get("APCA-API-SECRET-KEY"))
            status, body = alpaca.answer(self.path, keys)
            content = b"<html>gateway</html>" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        alpaca.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield alpaca
        finally:
            server.shutdown()
            thread.join()
