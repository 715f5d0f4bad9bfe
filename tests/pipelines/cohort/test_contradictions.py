from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cohort.read import CohortError, read_cohort
from tests.pipelines.cohort.written import row, written

COURSE = {
    "baseline_date": "2020-01-01",
    "therapy_start": "2020-01-10",
    "therapy_end": "2020-03-01",
    "restaging_date": "2020-04-01",
    "surgery_date": "2020-04-20",
    "follow_up_date": "2023-04-20",
}


def problems(folder: Path, **cells: str) -> list[str]:
    written(folder, [row("P1", **cells)])
    try:
        read_cohort(folder)
    except CohortError as error:
        return list(error.problems)
    return []


def test_a_course_in_order_is_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, **COURSE) == []
    assert problems(tmp_path, surgery_date="2020-01-01") == []  # what is not known contradicts nothing


@pytest.mark.parametrize(
    ("column", "day", "said"),
    [
        ("therapy_end", "2020-01-09", "2020-01-09 is before therapy_start 2020-01-10"),
        ("restaging_date", "2020-01-01", "2020-01-01 is the day of baseline_date 2020-01-01"),
        ("surgery_date", "2020-03-31", "2020-03-31 is before restaging_date 2020-04-01"),
        ("follow_up_date", "2020-04-19", "2020-04-19 is before surgery_date 2020-04-20"),
    ],
)
def test_a_day_before_what_it_must_follow_is_named(tmp_path: Path, column: str, day: str, said: str) -> None:
    assert f"row 2, column '{column}': {said}" in problems(tmp_path, **COURSE | {column: day})


def test_surgery_before_the_end_of_therapy_is_named(tmp_path: Path) -> None:
    found = problems(tmp_path, therapy_end="2020-03-01", surgery_date="2020-02-01")
    assert found == ["row 2, column 'surgery_date': 2020-02-01 is before therapy_end 2020-03-01"]


def test_a_response_that_contradicts_its_grade_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, good_response="1", trg_ajcc="AJCC-1") == []
    assert problems(tmp_path, good_response="", trg_ajcc="AJCC-2") == []
    assert problems(tmp_path, good_response="1", trg_ajcc="AJCC-2") == [
        "row 2, column 'good_response': 1 contradicts trg_ajcc AJCC-2: 1 is AJCC-0 or AJCC-1"
    ]
    assert "0 contradicts trg_ajcc AJCC-0" in problems(tmp_path, good_response="0", trg_ajcc="AJCC-0")[0]


def test_a_complete_response_that_contradicts_pathology_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, complete_response="1", ypt_stage="ypT0", ypn_stage="ypN0") == []
    assert problems(tmp_path, complete_response="1", ypt_stage="ypT0") == []  # nodes not known
    assert problems(tmp_path, complete_response="1", ypt_stage="ypT0", ypn_stage="ypN1") == [
        "row 2, column 'complete_response': 1 contradicts ypT0 ypN1: 1 is ypT0 ypN0"
    ]
