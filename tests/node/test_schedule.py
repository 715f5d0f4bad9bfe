"""The clock: each station by itself, again and again, never twice at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from node.schedule import Clock


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock(threads=4)
    clock.start()
    yield clock
    clock.stop()


def test_a_station_is_called_again_and_again(clock: Clock) -> None:
    called = threading.Semaphore(0)
    clock.every(0.02, "station", called.release)
    assert all(called.acquire(timeout=5) for _ in range(3))


def test_a_station_that_fails_is_logged_and_called_again(clock: Clock) -> None:
    called = threading.Semaphore(0)

    def fail() -> None:
        called.release()
        raise RuntimeError("broken")

    with structlog.testing.capture_logs() as events:
        clock.every(0.02, "station", fail)
        assert all(called.acquire(timeout=5) for _ in range(3))
    failed = [event for event in events if event["event"] == "station.failed"]
    assert failed
    assert failed[0]["station"] == "station"
    assert "broken" in failed[0]["reason"]
    assert "RuntimeError" in failed[0]["traceback"]


def test_a_slow_station_is_never_called_twice_at_once_and_holds_up_no_other(clock: Clock) -> None:
    running, most, quick = [0], [0], threading.Semaphore(0)

    def slow() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.2)
        running[0] -= 1

    clock.every(0.02, "slow", slow)
    clock.every(0.02, "quick", quick.release)
    assert all(quick.acquire(timeout=5) for _ in range(8))
    assert most == [1]


def test_stopping_waits_for_what_runs_and_starts_nothing_more() -> None:
    clock = Clock(threads=2)
    started, ended = threading.Event(), []

    def station() -> None:
        started.set()
        time.sleep(0.2)
        ended.append(time.monotonic())

    clock.every(0.02, "station", station)
    clock.start()
    assert started.wait(5)
    clock.stop()
    assert ended
    count = len(ended)
    time.sleep(0.1)
    assert len(ended) == count


def test_a_wall_clock_that_is_set_back_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler reckons with dates: an hour set back would be an hour of silence."""
    clock = Clock(threads=2)
    called = threading.Semaphore(0)
    clock.every(0.2, "station", called.release)
    real, back = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() - back[0])
    clock.start()
    try:
        assert called.acquire(timeout=5)
        (job,) = clock._scheduler.get_jobs()
        job.modify(next_run_time=datetime.now(UTC) + timedelta(hours=1))  # as it looks after the step
        back[0] = 3600.0
        while called.acquire(blocking=False):
            pass
        assert all(called.acquire(timeout=5) for _ in range(3))
    finally:
        clock.stop()
