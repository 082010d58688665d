"""Requests to one Alpaca host, through alpaca-py's client in threads of our own: raw values in, raw values out.

What became of a request is told by what :meth:`RestDesk.get` and its siblings raise:

    Refused         surely not done, Alpaca says why (400, 401, 403, 404, 409, 422 with a body we can read)
    Unavailable     surely not done: it never left, or was one too many (429: Throttled)
    OutcomeUnknown  it left, and no answer tells: time-out, cut line, 5xx, redirect, an answer that is no JSON

alpaca-py has no time-out and repeats orders by itself after 429 and 504: its repeating is switched off and every
request has a deadline, in real seconds, from the first byte to the last. A request that overstays it is left alone with
its thread, a new thread takes the place: neither another order nor the end of the program waits for it.
"""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

from trader.access.loopback import is_loopback
from trader.errors import OutcomeUnknown, Refused, Unavailable

if TYPE_CHECKING:
    from alpaca.trading.client import TradingClient

DEADLINE_S: Final = 5.0  # for one request; Alpaca answers in a tenth of a second
CONNECT_WITHIN_S: Final = 3.0  # a part of the deadline
THREADS: Final = 4  # requests at the same time; 200 a minute need one or two
IDLE_S: Final = 30.0  # a connection unused for longer is left: the server may be closing it as we send
ABANDONED: Final = 16  # threads left with a request that never ends; beyond them nothing is sent
MAX_BODY: Final = 32 << 20  # bytes; the list of all assets has about 7 MB
SHOWN: Final = 200  # characters of an answer that stand in an error

Params = Mapping[str, str]
Body = Mapping[str, object]
_Job = Callable[["TradingClient"], object]


class Throttled(Unavailable):
    """One request too many (HTTP 429)."""


class RestDesk:
    """Requests to one host with one pair of keys; made and used on one loop."""

    def __init__(self, base_url: str, key_id: str, secret_key: str, *, deadline_s: float = DEADLINE_S) -> None:
        """Connect nothing yet; ``base_url`` is without ``/v2``."""
        self.base_url = base_url.rstrip("/")
        self.host = urlsplit(base_url).netloc
        self._keys = (key_id, secret_key)
        self._deadline_s = deadline_s
        self._idle: list[_Worker] = []
        self._places = asyncio.Semaphore(THREADS)
        self._abandoned: list[_Worker] = []
        self._is_closed = False
        self._is_loaded = False

    async def get(self, path: str, params: Params | None = None) -> Any:  # noqa: ANN401 -- whatever JSON holds
        """Read ``path``, which begins behind ``/v2``. Raises as the module says."""
        return await self._do(f"GET {path}", lambda client: client.get(path, dict(params or {})))

    async def post(self, path: str, body: Body) -> Any:  # noqa: ANN401
        """Send ``body`` as JSON. Raises as the module says."""
        return await self._do(f"POST {path}", lambda client: client.post(path, dict(body)))

    async def delete(self, path: str) -> Any:  # noqa: ANN401
        """Delete ``path``; an answer without a body is None. Raises as the module says."""
        return await self._do(f"DELETE {path}", lambda client: client.delete(path))

    def close(self) -> None:
        """Let go of every thread and connection; a request under way ends as unknown, nothing is waited for."""
        self._is_closed = True
        for worker in self._idle:
            worker.quit()
        self._idle.clear()

    async def _do(self, what: str, job: _Job) -> object:
        if not self._is_loaded:  # a second's work the first time: not on the loop
            await asyncio.to_thread(_load)
            self._is_loaded = True
        async with self._places:
            worker = self._worker(what)
            is_free = False
            try:
                async with asyncio.timeout(self._deadline_s):
                    answer = await worker.do(what, job)
                is_free = True
                return answer
            except TimeoutError:
                raise OutcomeUnknown(f"{what}: {self.host} did not answer within {self._deadline_s:g} s") from None
            except (Refused, Unavailable, OutcomeUnknown):
                is_free = True
                raise
            finally:
                self._release(worker, is_free=is_free)

    def _worker(self, what: str) -> "_Worker":
        if self._is_closed:
            raise Unavailable(f"{what}: the connection to {self.host} is closed")
        if self._idle:
            return self._idle.pop()
        self._abandoned = [worker for worker in self._abandoned if worker.is_alive()]
        if len(self._abandoned) >= ABANDONED:
            raise Unavailable(f"{what}: {self.host} keeps {len(self._abandoned)} requests without ending them")
        return _Worker(self.base_url, self._keys, self._deadline_s)

    def _release(self, worker: "_Worker", *, is_free: bool) -> None:
        if is_free and not self._is_closed:
            self._idle.append(worker)
            return
        worker.quit()
        if not is_free:
            self._abandoned.append(worker)


class _Worker:
    """A thread with a client of its own: a session of ``requests`` is not made for two threads."""

    def __init__(self, base_url: str, keys: tuple[str, str], deadline_s: float) -> None:
        self._jobs: SimpleQueue[Callable[[TradingClient], None] | None] = SimpleQueue()
        self._client_of: Callable[[], TradingClient] = lambda: _client(base_url, keys, deadline_s)
        self._thread = threading.Thread(target=self._run, name="alpaca rest", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def quit(self) -> None:
        """End the thread after what it is doing."""
        self._jobs.put(None)

    async def do(self, what: str, job: _Job) -> object:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[object] = loop.create_future()

        def run(client: "TradingClient") -> None:
            answer, error = _outcome(what, job, client)
            try:
                loop.call_soon_threadsafe(_settle, done, answer, error)
            except RuntimeError:  # the loop is closed: nobody asks any more
                return

        self._jobs.put(run)
        return await done

    def _run(self) -> None:
        client = self._client_of()
        session: requests.Session = client._session  # noqa: SLF001 -- alpaca-py has no close of its own
        used = time.monotonic()
        while (run := self._jobs.get()) is not None:
            if time.monotonic() - used > IDLE_S:
                session.close()  # its connections; the session itself opens new ones
            run(client)
            used = time.monotonic()
        session.close()


class _Session(requests.Session):
    """A session whose every request ends by a deadline and whose every answer is one, or an error."""

    def __init__(self, deadline_s: float, *, has_environment: bool) -> None:
        super().__init__()
        self.trust_env = has_environment  # proxies of the environment; none leads to our own machine
        self._deadline_s = deadline_s

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401
        until = time.monotonic() + self._deadline_s
        options |= {"timeout": (min(CONNECT_WITHIN_S, self._deadline_s), self._deadline_s), "stream": True}
        response = super().send(request, **options)
        body = bytearray()
        with response:
            for part in response.iter_content(1 << 16):
                body += part
                if len(body) > MAX_BODY or time.monotonic() > until:
                    raise OutcomeUnknown(f"an answer of {len(body)} bytes and no end")
        response._content = bytes(body)  # noqa: SLF001 -- what reading it at once would have done
        if not response.ok or response.is_redirect or response.is_permanent_redirect:
            raise _said(response)
        return response


def _load() -> None:
    import alpaca.trading.client  # noqa: F401


def _client(base_url: str, keys: tuple[str, str], deadline_s: float) -> "TradingClient":
    from alpaca.trading.client import TradingClient

    client = TradingClient(*keys, raw_data=True, url_override=base_url)
    client._retry = 0  # noqa: SLF001 -- no argument for it: it would send an order up to four times
    client._session = _Session(deadline_s, has_environment=not is_loopback(base_url))  # noqa: SLF001
    return client


def _outcome(what: str, job: _Job, client: "TradingClient") -> tuple[object, Exception | None]:
    try:
        return job(client), None
    except Refused as error:
        return None, error
    except (Unavailable, OutcomeUnknown) as error:
        return None, type(error)(f"{what}: {error}")
    except requests.JSONDecodeError:
        return None, OutcomeUnknown(f"{what}: an answer that is no JSON")
    except requests.RequestException as error:
        kind = Unavailable if _never_left(error) else OutcomeUnknown
        return None, kind(f"{what}: {_why(error)}")
    except Exception as error:  # noqa: BLE001 -- of alpaca-py or below: whatever it was, the request may have left
        return None, OutcomeUnknown(f"{what}: {type(error).__name__}")


def _settle(done: asyncio.Future[object], answer: object, error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(answer)
    else:
        done.set_exception(error)


class _ErrorBody(msgspec.Struct):
    code: int = 0
    message: str = ""


_decode_error = msgspec.json.Decoder(_ErrorBody, strict=False).decode
_TOO_MANY, _UNAUTHORIZED = 429, 401
_NO = frozenset({400, 401, 403, 404, 409, 422})


def _said(response: requests.Response) -> Exception:
    """Read an answer that is no success."""
    status = response.status_code
    shown = " ".join(response.text.split())[:SHOWN]
    if status == _TOO_MANY:
        return Throttled(f"HTTP 429 {shown}")
    try:
        body = _decode_error(response.content)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        if status != _UNAUTHORIZED:  # the only one that Alpaca itself answers with a page
            return OutcomeUnknown(f"HTTP {status} without a body of Alpaca's: {shown}")
        body = _ErrorBody(message="unauthorized")
    if status in _NO:
        return Refused(status, body.code, body.message[: 4 * SHOWN] or shown)
    return OutcomeUnknown(f"HTTP {status} {shown}")


def _never_left(error: requests.RequestException) -> bool:
    """Tell whether no byte of a request was sent: no connection, or a certificate that is not the host's."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return True
    return (
        isinstance(reason, SSLError) and bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    )


def _why(error: BaseException) -> str:
    """Find the plain words of the system under the layers of libraries."""
    seen: BaseException | None = error
    while seen is not None:
        inner = getattr(seen.args[0], "reason", None) if seen.args else None
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = inner if isinstance(inner, BaseException) else (seen.__cause__ or seen.__context__)
    return {"ReadTimeout": "no answer in time", "ConnectTimeout": "no connection in time"}.get(
        type(error).__name__, f"the connection broke ({type(error).__name__})"
    )
