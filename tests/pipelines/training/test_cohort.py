from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.contract import TimePoint
from pipelines.training.cohort import CohortError, read_cohort

HEADER = "patient_id,site,baseline,restaging,good_response,p_good_response\n"


def cohort(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    for name in ("P1", "P2", "P3"):
        for time_point in TimePoint:
            (tmp_path / name / time_point).mkdir(parents=True, exist_ok=True)
            (tmp_path / name / time_point / "1.dcm").write_bytes(b"x" * 10)
    (tmp_path / "cohort.csv").write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def problems(folder: Path) -> tuple[str, ...]:
    with pytest.raises(CohortError) as caught:
        read_cohort(folder)
    return caught.value.problems


GOOD = ("P1,A,P1/baseline,P1/restaging,1,0.7", "P2,B,P2/baseline,P2/restaging,0,0.2")


def test_a_good_cohort_is_read(tmp_path: Path) -> None:
    read = read_cohort(cohort(tmp_path, *GOOD))
    assert [(p.patient_id, p.site, p.good_response) for p in read.patients] == [("P1", "A", True), ("P2", "B", False)]
    assert read.patients[0].true_probability == 0.7
    assert read.simulated


def test_a_cohort_without_true_probabilities_is_not_simulated(tmp_path: Path) -> None:
    rows = [row.rsplit(",", 1)[0] for row in GOOD]
    header = "patient_id,site,baseline,restaging,good_response\n"
    assert not read_cohort(cohort(tmp_path, *rows, header=header)).simulated


def test_a_patient_without_an_outcome_is_left_out_and_listed(tmp_path: Path) -> None:
    read = read_cohort(cohort(tmp_path, *GOOD, "P3,A,P3/baseline,P3/restaging,,"))
    assert [p.patient_id for p in read.patients] == ["P1", "P2"]
    assert read.skipped == ("P3",)


def test_every_problem_is_named_with_row_and_column(tmp_path: Path) -> None:
    found = problems(
        cohort(
            tmp_path,
            "P1,A,P1/baseline,P1/restaging,maybe,0.7",
            "P1,A,P1/baseline,P9/restaging,0,1.2",
            ",A,../outside,,1,x",
        )
    )
    assert found == (
        "row 2, column 'good_response': 'maybe' is not 1, 0 or empty",
        "row 3, column 'restaging': folder 'P9/restaging' does not exist",
        "row 3, column 'p_good_response': '1.2' is not between 0 and 1",
        "row 4, column 'patient_id': is empty",
        "row 4, column 'baseline': '../outside' lies outside the cohort's folder",
        "row 4, column 'restaging': is empty; give the exam's folder",
        "row 4, column 'p_good_response': 'x' is not between 0 and 1",
        "row 3, column 'patient_id': 'P1' stands in row 2 already",
    )


def test_missing_columns_are_named(tmp_path: Path) -> None:
    found = problems(cohort(tmp_path, header="patient_id,baseline\n"))
    assert [line.split("'")[1] for line in found] == ["site", "restaging", "good_response"]


def test_one_outcome_alone_is_refused(tmp_path: Path) -> None:
    assert "no patient has 0" in problems(cohort(tmp_path, GOOD[0]))[0]


def test_an_empty_or_absent_file_is_named(tmp_path: Path) -> None:
    assert "there is no patient in it" in problems(cohort(tmp_path))[0]
    assert "does not exist" in problems(tmp_path / "P1")[0]


def test_the_digest_follows_table_and_files(tmp_path: Path) -> None:
    first = read_cohort(cohort(tmp_path, *GOOD)).digest
    assert read_cohort(tmp_path).digest == first
    (tmp_path / "P2" / "restaging" / "1.dcm").write_bytes(b"x" * 11)
    assert read_cohort(tmp_path).digest != first


def test_a_row_that_ends_early_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    assert problems(cohort(tmp_path, *GOOD, "P3,A,P3/baseline")) == (
        "row 4, column 'restaging': is missing: the row ends before it",
        "row 4, column 'good_response': is missing: the row ends before it",
    )
    assert read_cohort(cohort(tmp_path, *GOOD, "P3,A,P3/baseline,P3/restaging,1")).patients[2].true_probability is None


def test_a_row_with_more_cells_than_columns_is_named(tmp_path: Path) -> None:
    found = problems(cohort(tmp_path, GOOD[0], '"P2",Haus 1, Nord,P2/baseline,P2/restaging,0,0.2'))
    assert found[0] == "row 3: has more cells than there are columns; a cell with a comma in it stands in quotes"


def test_rows_are_counted_as_in_the_file(tmp_path: Path) -> None:
    assert problems(cohort(tmp_path, GOOD[0], "", "P2,B,P2/baseline,P2/restaging,maybe,0.2")) == (
        "row 4, column 'good_response': 'maybe' is not 1, 0 or empty",
    )
