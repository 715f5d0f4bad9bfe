"""A destination that cannot be reached is left alone for longer and longer, and welcomed back."""

from __future__ import annotations

import time

import pytest
import structlog

from node.breaker import LONGEST_SECONDS, Breaker


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test turns."""
    shown = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: shown[0])
    return shown


def opened_for(breaker: Breaker, now: list[float]) -> float:
    """Seconds until it lets a try through, to a tenth."""
    start = now[0]
    while breaker.is_open:
        now[0] += 0.1
    return now[0] - start


def test_it_is_closed_at_first() -> None:
    assert not Breaker("pacs", 5.0).is_open


def test_each_failure_keeps_it_open_for_twice_as_long_up_to_a_minute(now: list[float]) -> None:
    breaker = Breaker("pacs", 5.0)
    waits = []
    for _ in range(8):
        breaker.failed("it does not answer")
        waits.append(opened_for(breaker, now))
    expected = [min(LONGEST_SECONDS, 5.0 * 2**number) for number in range(8)]
    for wait, wanted in zip(waits, expected, strict=True):
        assert 0.8 * wanted <= wait <= 1.2 * wanted + 0.2


def test_retries_of_many_do_not_come_at_once(now: list[float]) -> None:
    breakers = [Breaker("pacs", 5.0) for _ in range(20)]
    for breaker in breakers:
        breaker.failed("")
    assert len({breaker._open_until for breaker in breakers}) == 20


def test_a_success_closes_it_and_says_whether_the_destination_had_been_away(now: list[float]) -> None:
    breaker = Breaker("pacs", 5.0)
    assert not breaker.succeeded()
    breaker.failed("")
    breaker.failed("")
    assert breaker.succeeded()
    assert not breaker.is_open
    breaker.failed("")
    assert opened_for(breaker, now) <= 6.2


def test_it_is_logged_once_when_it_goes_and_once_when_it_comes_back(now: list[float]) -> None:
    breaker = Breaker("pacs", 5.0)
    with structlog.testing.capture_logs() as events:
        for _ in range(3):
            breaker.failed("it does not answer")
        breaker.succeeded()
    assert [event["event"] for event in events] == ["destination.unreachable", "destination.back"]
    assert events[0]["reason"] == "it does not answer"
