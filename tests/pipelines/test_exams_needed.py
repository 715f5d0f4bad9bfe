"""Which exams each system needs."""

from __future__ import annotations

import pytest

from pipelines.cohort.purpose import PURPOSES
from pipelines.exams_needed import EXAMS_NEEDED, some_score_a_baseline
from pipelines.models import SYSTEMS


def test_every_system_is_in_the_table_and_has_the_purpose_that_it_says() -> None:
    assert set(SYSTEMS) <= set(EXAMS_NEEDED)
    assert {name: purpose.time_points for name, purpose in PURPOSES.items()} == EXAMS_NEEDED


@pytest.mark.parametrize(
    ("systems", "scored"),
    [
        (("signature_svm",), False),
        (("signature_svm", "dlrs_nomogram"), True),
        ((), False),
        (("of another version",), False),
    ],
)
def test_prognosis_needs_no_restaging_exam_and_response_does(systems: tuple[str, ...], scored: bool) -> None:
    assert some_score_a_baseline(systems) is scored
