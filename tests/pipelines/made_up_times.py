"""Survival times with known hazards, for tests of Cox models: H(t) = h (t / 36), everybody leaves in time."""

from __future__ import annotations

import numpy as np

from pipelines.training.dlrs_cox import Times


def made_up_times(log_hazard: np.ndarray, seed: int, baseline: float = 0.35) -> Times:
    """Months and events of patients whose cumulative hazard by 36 months is ``baseline`` × exp(``log_hazard``)."""
    rng = np.random.default_rng(seed)
    event = 36.0 * rng.exponential(size=len(log_hazard)) / (baseline * np.exp(log_hazard))
    left = rng.uniform(12.0, 72.0, len(log_hazard))
    return Times(np.minimum(event, left), event <= left)
