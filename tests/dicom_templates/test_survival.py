from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dicom_templates.errors import TemplateError
from dicom_templates.survival import event_free
from pipelines.contract import GOOD_RESPONSE, Findings, Score

MakeFindings = Callable[..., Findings]


@pytest.fixture
def metastasis(make_findings: MakeFindings) -> Score:
    return next(score for score in make_findings("four systems").scores if score.nomogram is not None)


def with_curve(score: Score, **changes: Any) -> Score:
    assert score.curve is not None
    return replace(score, curve=replace(score.curve, **changes))


def test_a_curve_is_read_at_each_published_horizon_it_covers(metastasis: Score) -> None:
    assert [(one.horizon.months, one.share, one.lower, one.upper) for one in event_free(metastasis)] == [
        (12, 94.0, 90.0, 97.0),
        (24, 87.0, 79.0, 92.0),
        (36, 79.0, 67.0, 88.0),
    ]


def test_between_two_times_the_earlier_one_holds(metastasis: Score) -> None:
    steps = with_curve(
        metastasis,
        months=(0.0, 20.0, 30.0, 90.0),
        event_free=(1.0, 0.9, 0.8, 0.4),
        lower=(1.0, 0.8, 0.7, 0.3),
        upper=(1.0, 0.95, 0.9, 0.6),
    )
    assert [(one.horizon.months, one.share) for one in event_free(steps)] == [(12, 100), (24, 90), (36, 80), (60, 80)]


def test_a_score_without_a_curve_has_no_shares(metastasis: Score) -> None:
    assert event_free(replace(metastasis, curve=None)) == ()


def test_a_response_is_no_event_in_time(metastasis: Score) -> None:
    with pytest.raises(TemplateError, match="no event in time"):
        event_free(replace(metastasis, outcome=GOOD_RESPONSE))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"months": ()}, "as many shares"),
        ({"lower": (0.9,)}, "as many shares"),
        ({"time_zero": " "}, "what month 0 is"),
        ({"months": (6.0, 12.0, 12.0, 24.0, 36.0, 48.0)}, "times of a survival curve must rise"),
        ({"event_free": (0.9, 0.95, 0.9, 0.8, 0.7, 0.6)}, "rises with time"),
        ({"upper": (0.99, 0.98, 0.97, 0.96, 1.2, 0.9)}, "no event-free share with limits"),
        ({"lower": (float("nan"),) * 6}, "no event-free share with limits"),
    ],
)
def test_a_curve_that_is_none_is_refused(metastasis: Score, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        event_free(with_curve(metastasis, **changes))
