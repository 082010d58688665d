"""What a message costs beside alpaca-py and the floor, how soon a bar becomes an order, what the exchange serves.

Every client is a process of its own; what is compared is measured in turns, in one run. Absolute figures belong to the
machine and the minute; read the ratios. Nothing is asserted here.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENVIRONMENT = os.environ | {"PYTHONPATH": str(HERE.parent.parent), "PYTHONWARNINGS": "ignore"}

ROUNDS = 3
MESSAGES = {1: 100_000, 5: 200_000, 50: 400_000}
CLIENTS = {
    "ours": "ours, quotes conflated",
    "ours_each": "ours, frame by frame",
    "floor": "floor: websockets, msgspec",
    "alpaca_py": "alpaca-py",
}
WANTED = {5: 5.0, 50: 10.0}  # times alpaca-py's, by messages a frame
WANTED_OF_FLOOR = 0.4
SPEED = 240.0  # of the market whose bars become orders: a minute in a quarter of a second
TRADING_S = 25.0
SERVING_S = 4.0


def main() -> None:
    """Measure everything, or the parts that are named: messages, latency, serving."""
    parts = {"messages": messages, "latency": latency, "serving": serving}
    for name in sys.argv[1:] or parts:
        parts[name]()


def messages() -> None:
    """Print messages a CPU-second of each client."""
    print("Messages a CPU-second of the client (30 % trades, 60 % quotes, 10 % bars;")
    print("26 symbols, msgpack)")
    print(f"\n  a frame  {'client':26} {'messages':>11} {'× alpaca-py':>13} {'of the floor':>13}")
    for batch, count in MESSAGES.items():
        with serving_process("stream_traffic.py", str(count), str(batch)) as server:
            port = server.readline()
            found: dict[str, list[float]] = {name: [] for name in CLIENTS}
            for _ in range(ROUNDS):
                for name, spent in found.items():
                    told = run("stream_clients.py", name, f"ws://127.0.0.1:{port.strip()}/v2/iex")
                    spent.append(told["cpu_s"])
        rates = {name: count / min(spent) for name, spent in found.items()}
        for name, title in CLIENTS.items():
            times, share = rates[name] / rates["alpaca_py"], rates[name] / rates["floor"]
            print(f"  {batch:>7}  {title:26} {rates[name]:>11,.0f} {times:>13.1f} {share:>13.0%}")
        if batch in WANTED:
            print(f"           {'wanted of ours':26} {'':11} {WANTED[batch]:>13.1f} {WANTED_OF_FLOOR:>13.0%}")
        print(flush=True)


def latency() -> None:
    """Print how long it takes from a bar on the socket to an order in the hands of the HTTP client."""
    print("From a minute's bars on the socket to an order, 26 strategies, no durable commit")
    print("(ms; wanted: p99 at most 2.00 until it is handed to the HTTP client)")
    for trading in (1, 26):
        with serving_process("stream_exchange.py", "paced", str(SPEED)) as server:
            told = json.loads(server.readline())
            arguments = (told["port"], told["began"], SPEED, *told["keys"][0], trading, TRADING_S)
            found = run("stream_orders.py", "latency", *map(str, arguments))
        print(f"\n  {trading} of 26 with an order each minute: {found['orders']} orders")
        for key, title in {
            "handed": "handed to the HTTP client",
            "sent": "its bytes in a thread, about to leave",
        }.items():
            print(f"    {title:40} p50 {percentile(found[key], 50):6.2f}   p99 {percentile(found[key], 99):6.2f}")


def serving() -> None:
    """Print what a local exchange serves."""
    print("\nA local exchange serves (wanted: 50,000 messages/s to alpaca-py, 500 orders/s)")
    for kind, title in {"flat": "its whole market without a clock", "ready": "messages made beforehand"}.items():
        with serving_process("stream_exchange.py", kind) as server:
            told = json.loads(server.readline())
            for client in ("alpaca_py", "floor"):
                key, secret = told["keys"].pop()
                url = f"ws://127.0.0.1:{told['port']}/v2/iex"
                found = run("stream_readers.py", client, url, key, secret, str(SERVING_S))
                rate = found["messages"] / found["seconds"]
                print(f"  {rate:>10,.0f} messages/s to {client.replace('_', '-'):9} of {title}")
    with serving_process("stream_exchange.py", "ready") as server:
        told = json.loads(server.readline())
        keys = [part for key in told["keys"] for part in key]
        found = run("stream_orders.py", "orders", str(told["port"]), str(SERVING_S / 2), *keys)
        rate = sum(found["statuses"].values()) / found["seconds"]
        print(f"  {rate:>10,.0f} orders/s over one connection, answered {found['statuses']}")


def percentile(values: Sequence[float], which: int) -> float:
    """Return a percentile in milliseconds."""
    if len(values) < 2:
        return float("nan")
    return statistics.quantiles(values, n=100, method="inclusive")[which - 1] / 1e6


@contextmanager
def serving_process(*arguments: str) -> Iterator[Any]:
    """Run a server of this folder; it ends when its standard input does."""
    command = [sys.executable, str(HERE / arguments[0]), *arguments[1:]]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True)
    try:
        yield process.stdout
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def run(*arguments: str) -> Any:  # noqa: ANN401 -- whatever it tells
    """Run a client of this folder to its end and return what it tells."""
    time.sleep(0.2)  # the one before has let go of everything
    command = [sys.executable, str(HERE / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
    if not done.stdout:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
