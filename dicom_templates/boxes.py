"""Rectangles on a page, in its pixels, from the upper left corner."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """``x``, ``y``: the upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    def inset(self, across: float, down: float | None = None) -> Box:
        down = across if down is None else down
        return Box(self.x + across, self.y + down, self.width - 2 * across, self.height - 2 * down)

    def below(self, y: float) -> Box:
        """The part from ``y`` downwards."""
        return Box(self.x, y, self.width, max(0.0, self.bottom - y))

    def top(self, height: float) -> Box:
        """The uppermost part."""
        return Box(self.x, self.y, self.width, height)

    def after(self, x: float) -> Box:
        """The part from ``x`` to the right."""
        return Box(x, self.y, max(0.0, self.right - x), self.height)

    def columns(self, number: int, gap: float) -> tuple[Box, ...]:
        """Columns of equal width."""
        width = (self.width - (number - 1) * gap) / number
        return tuple(Box(self.x + i * (width + gap), self.y, width, self.height) for i in range(number))

    def holds(self, other: Box, slack: float = 0.5) -> bool:
        return (
            other.x >= self.x - slack
            and other.right <= self.right + slack
            and other.y >= self.y - slack
            and other.bottom <= self.bottom + slack
        )

    def overlaps(self, other: Box, slack: float = 0.5) -> bool:
        return (
            min(self.right, other.right) - max(self.x, other.x) > slack
            and min(self.bottom, other.bottom) - max(self.y, other.y) > slack
        )
