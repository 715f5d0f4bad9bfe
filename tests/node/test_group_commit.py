"""Whoever waits at the same time is written together, and nobody fails because of another one."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from node.group_commit import GroupCommit


def put_at_once(group: GroupCommit[int, int], numbers: Sequence[int]) -> dict[int, int | str]:
    """What came of each, all put while the first is being written."""
    said: dict[int, int | str] = {}

    def put(number: int) -> None:
        try:
            said[number] = group.put(number)
        except ValueError as error:
            said[number] = str(error)

    threads = [threading.Thread(target=put, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return said


def test_those_who_come_while_one_is_written_are_written_together() -> None:
    groups: list[list[int]] = []
    is_writing = threading.Event()

    def write(numbers: Sequence[int]) -> list[int]:
        groups.append(sorted(numbers))
        if not is_writing.is_set():
            is_writing.set()
            deadline = time.monotonic() + 10
            while len(group._waiting) < 4 and time.monotonic() < deadline:
                time.sleep(0.01)
        return [number * 10 for number in numbers]

    group: GroupCommit[int, int] = GroupCommit(write)
    first = threading.Thread(target=group.put, args=(0,))
    first.start()
    assert is_writing.wait(10)
    assert put_at_once(group, range(1, 5)) == {number: number * 10 for number in range(1, 5)}
    first.join()
    assert groups == [[0], [1, 2, 3, 4]]


def test_one_that_cannot_be_written_fails_alone() -> None:
    def write(numbers: Sequence[int]) -> list[int]:
        if 3 in numbers:
            raise ValueError("not 3")
        return list(numbers)

    said = put_at_once(GroupCommit(write), range(6))
    assert said == {0: 0, 1: 1, 2: 2, 3: "not 3", 4: 4, 5: 5}


def test_an_error_is_raised_to_whom_it_concerns() -> None:
    def write(_: Sequence[int]) -> list[int]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        GroupCommit(write).put(1)
