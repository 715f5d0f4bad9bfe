"""How long work says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is going on (a few words), how much is done, and of how much."""


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
