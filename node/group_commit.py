"""What several threads want to write at the same time is written at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass
class _Waiting(Generic[Item, Outcome]):
    item: Item
    outcomes: Sequence[Outcome] = ()
    error: Exception | None = None
    is_done: bool = False


class GroupCommit(Generic[Item, Outcome]):
    """Whoever comes while others are being written waits, and then writes for all who wait.

    ``write`` takes a group, writes all of it or raises, and says one outcome for each item. A group that fails is
    written one by one, so that nobody fails because of another one.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Outcome]]) -> None:
        self._write = write
        self._turn = threading.Lock()
        self._list = threading.Lock()
        self._waiting: list[_Waiting[Item, Outcome]] = []

    def put(self, item: Item) -> Outcome:
        """Write an item, with those who wait at the same time. Raises what ``write`` raises for it alone."""
        mine: _Waiting[Item, Outcome] = _Waiting(item)
        with self._list:
            self._waiting.append(mine)
        with self._turn:
            if not mine.is_done:
                with self._list:
                    group, self._waiting = self._waiting, []
                self._serve(group)
        if mine.error is not None:
            raise mine.error
        return mine.outcomes[0]

    def _serve(self, group: Sequence[_Waiting[Item, Outcome]]) -> None:
        try:
            outcomes = self._write([one.item for one in group])
        except Exception as error:  # noqa: BLE001 - it is raised again, to whom it concerns
            if len(group) == 1:
                group[0].error, group[0].is_done = error, True
                return
            for one in group:
                self._serve([one])
            return
        for one, outcome in zip(group, outcomes, strict=True):
            one.outcomes, one.is_done = (outcome,), True
