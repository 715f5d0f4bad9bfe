"""Which exams each system needs: a table that the listener may read, which must not pay for what a system imports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipelines.contract import TimePoint

EXAMS_NEEDED: Mapping[str, frozenset[TimePoint]] = {
    "segmenter": frozenset({TimePoint.BASELINE}),
    "signature_svm": frozenset(TimePoint),
    "multi_rec_net": frozenset({TimePoint.BASELINE}),
    "dlrs_nomogram": frozenset({TimePoint.BASELINE}),
    "rp_net": frozenset(TimePoint),
}


def some_score_a_baseline(systems: Iterable[str]) -> bool:
    """Whether one of these systems gives a score from a baseline exam alone."""
    return any(EXAMS_NEEDED.get(name) == frozenset({TimePoint.BASELINE}) for name in systems)
