"""How well two masks agree."""

from __future__ import annotations

from pipelines.contract import MaskArray


def dice(found: MaskArray, truth: MaskArray) -> float:
    """Dice coefficient 2|A ∩ B| / (|A| + |B|); 1 where both are empty (Dice 1945)."""
    total = int(found.sum()) + int(truth.sum())
    return 2.0 * int((found & truth).sum()) / total if total else 1.0
