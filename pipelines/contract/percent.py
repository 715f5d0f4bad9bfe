"""Shares in percent, rounded in one way wherever a person reads them."""

from __future__ import annotations


def in_percent(share: float) -> float:
    """A share of 0 to 1 in percent: whole, and with one decimal below 1 and above 99.

    No risk is written as 0 % and no chance as 100 % only because it was rounded.
    """
    percent = 100.0 * float(share)
    return float(round(percent)) if 1.0 <= percent <= 99.0 else round(percent, 1)
