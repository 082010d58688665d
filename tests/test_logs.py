"""Log lines never hold up the desk: real pipes, a reader that stops, a reader that goes."""

import os
import threading
from collections.abc import Iterator

import pytest
import structlog

from trader import logs


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def test_lines_arrive_in_order(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    lines = logs.LineWriter(writer)
    for number in range(100):
        lines.put(f"line {number} é")
    assert lines.close()
    assert os.read(reader, 100_000).decode().splitlines() == [f"line {number} é" for number in range(100)]


def test_a_reader_that_stopped_costs_lines_and_one_short_wait(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "QUEUE_LINES", 50)
    monkeypatch.setattr(logs, "STUCK_AFTER_S", 0.01)
    monkeypatch.setattr(logs, "FLUSH_TIMEOUT_S", 0.01)
    reader, writer = pipe
    lines = logs.LineWriter(writer)
    for number in range(3000):
        lines.put(f"{number:<100}")
    assert lines.dropped > 1000
    assert not lines.close()  # it is still hanging, and close said so instead of waiting for ever
    text = b""
    while b"log lines were dropped" not in text:
        text += os.read(reader, 65_536)
    assert b"0   " in text
    os.close(reader)  # what is queued now goes nowhere, and the thread ends
    monkeypatch.setattr(logs, "FLUSH_TIMEOUT_S", 60)
    while not lines.close():
        pass


def test_a_slow_reader_is_waited_for_and_loses_nothing(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "QUEUE_LINES", 10)
    monkeypatch.setattr(logs, "STUCK_AFTER_S", 60)  # slow, not stuck, however busy this machine is
    monkeypatch.setattr(logs, "FLUSH_TIMEOUT_S", 60)
    reader, writer = pipe
    got: list[bytes] = []

    def read() -> None:
        while chunk := os.read(reader, 1000):
            got.append(chunk)

    thread = threading.Thread(target=read)
    thread.start()
    lines = logs.LineWriter(writer)
    for number in range(5000):
        lines.put(f"{number:<100}")
    assert lines.close()
    os.close(writer)
    thread.join()
    assert lines.dropped == 0
    assert b"".join(got).count(b"\n") == 5000


def test_a_reader_that_went_away_is_no_error(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    lines = logs.LineWriter(writer)
    lines.put("nobody reads this")
    assert lines.close()
    assert lines.dropped == 1


def test_each_output_gets_its_levels_and_every_line_its_mode_and_time(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    lines = logs.LineWriter(writer)
    outputs: list[tuple[str, logs.Render, logs.LineWriter]] = [
        ("info", lambda values: f"A {values['event']} {values['mode']} {values['ts']}", lines),
        ("debug", lambda values: f"B {values['event']} {values.get('key')}", lines),
    ]
    logs.configure(outputs, mode="SIM", now=lambda: 7)
    try:
        log = structlog.get_logger()
        log.debug("order.moved", key=1)
        log.warning("bar.late", key=2, ts=8)
    finally:
        structlog.reset_defaults()
    assert lines.close()
    assert os.read(reader, 1000).decode().splitlines() == ["B order.moved 1", "A bar.late SIM 8", "B bar.late 2"]
