"""A clean phantom pair for the tests of the quality gate."""

from __future__ import annotations

import pytest

from pipelines.contract import Exam
from tests.pipelines.quality.planted import phantom_exams


@pytest.fixture(scope="session")
def clean_pair() -> tuple[Exam, Exam]:
    """Baseline and restaging; the tumour lies within the T2 slices, and nothing is wrong with either."""
    return phantom_exams(555, 2)


@pytest.fixture
def clean(clean_pair: tuple[Exam, Exam]) -> Exam:
    return clean_pair[0]
