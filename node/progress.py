"""Progress bars for the verbs that one waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

SHOWN = 8
"""Bars of finished things that stay in sight; training fits dozens of networks, and a terminal has 24 lines."""


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """One bar for each thing that is waited for; the callback takes its name, how much is done, and of how much."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    # On standard error: what a verb says on standard output may be read by a program.
    progress = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def advance(what: str, done: int, total: int) -> None:
        progress.start()  # at the first word: where nothing is waited for, nothing is shown
        if what not in tasks:
            tasks[what] = progress.add_task(what, total=total)
        progress.update(tasks[what], completed=done, total=total)
        finished = [task.id for task in progress.tasks if task.finished and task.visible]
        for old in finished[:-SHOWN]:
            progress.update(old, visible=False)

    try:
        yield advance
    finally:
        if tasks:
            progress.stop()


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A single bar; the callback takes how much is done, and of how much."""
    with bars() as advance:
        yield partial(advance, what)
