"""A manifest for tests that need any."""

from __future__ import annotations

from typing import Any

from pipelines.bundle import Manifest


def manifest(**changes: Any) -> Manifest:
    """A manifest with ``changes`` in it."""
    values: dict[str, Any] = {
        "system": "made_up",
        "name": "made-up",
        "version": "1.0",
        "outcome": "none",
        "intended_use": "tests",
        "limits": "all",
        "phantom_trained": True,
        "cohort": "nobody",
        "cohort_digest": "0",
        "inputs": ("axial T2",),
        "preprocessing": {},
        "network": {"filters": (4, 8)},
        "thresholds": {},
        "envelope": {},
        "metrics": {"auc": 0.5},
        "training": {"seed": 1},
    }
    return Manifest(**(values | changes))
