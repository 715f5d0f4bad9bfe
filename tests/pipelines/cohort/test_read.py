from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.cohort import read
from pipelines.cohort.read import TRUTH, CohortError, read_cohort
from pipelines.contract import Item, TimePoint
from pipelines.phantom.probabilities import InformationSet, Outcome
from tests.pipelines.cohort.written import exams, row, written

HEADER = "patient_id,site,baseline,restaging,good_response\n"
GOOD = ("P1,A,P1/baseline,P1/restaging,1", "P2,B,P2/baseline,P2/restaging,0")


def cohort(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    for name in ("P1", "P2", "P3"):
        exams(tmp_path, name)
    (tmp_path / "cohort.csv").write_text(header + "\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def problems(folder: Path) -> tuple[str, ...]:
    with pytest.raises(CohortError) as caught:
        read_cohort(folder)
    return caught.value.problems


def test_a_good_cohort_is_read(tmp_path: Path) -> None:
    found = read_cohort(cohort(tmp_path, *GOOD))
    assert [(p.line, p.patient_id, p.site, p.good_response) for p in found.patients] == [
        (2, "P1", "A", True),
        (3, "P2", "B", False),
    ]
    assert found.patients[0].exams == {t: tmp_path / "P1" / t for t in TimePoint}
    assert not found.simulated


def test_everything_beside_exams_may_be_unknown(tmp_path: Path) -> None:
    (patient,) = read_cohort(written(tmp_path, [row("P1", restaging="", good_response="", cea_ng_ml="")])).patients
    assert set(patient.exams) == {TimePoint.BASELINE}
    assert (patient.good_response, patient.metastasis, patient.record.values) == (None, None, {})


def test_clinical_items_are_typed_and_say_where_they_come_from(tmp_path: Path) -> None:
    cells = {"cea_ng_ml": "5.5", "ct_stage": "cT3", "surgery_date": "2020-06-08", "excluded": "second cancer"}
    follow_up = {"metastasis_months": "12.5", "metastasis_event": "1", "dfs_months": "40", "dfs_event": "0"}
    (patient,) = read_cohort(written(tmp_path, [row("P1", **cells, **follow_up)])).patients
    assert patient.record.number(Item.CEA) == 5.5
    assert patient.record.word(Item.CT_STAGE) == "cT3"
    assert patient.record.origins[Item.CT_STAGE] == "cohort.csv, row 2"
    assert patient.metastasis is not None and (patient.metastasis.months, patient.metastasis.event) == (12.5, True)
    assert patient.recurrence is not None and (patient.recurrence.months, patient.recurrence.event) == (40.0, False)
    assert patient.excluded == "second cancer"


def test_every_problem_is_named_with_row_and_column(tmp_path: Path) -> None:
    found = problems(
        cohort(
            tmp_path,
            "P1,A,P1/baseline,P1/restaging,maybe",
            "P1,A,P2/baseline,P9/restaging,0",
            ",A,../outside,,1",
            "P3,A,,,1",
        )
    )
    assert found == (
        "row 2, column 'good_response': 'maybe' is not 1, 0 or empty",
        "row 3, column 'restaging': folder 'P9/restaging' does not exist",
        "row 4, column 'patient_id': is empty",
        "row 4, column 'baseline': '../outside' lies outside the cohort's folder",
        "row 5, column 'baseline': is empty; give the exam's folder",
        "row 3, column 'patient_id': 'P1' stands in row 2 already",
    )


def test_missing_columns_are_named(tmp_path: Path) -> None:
    found = problems(cohort(tmp_path, header="patient_id,baseline\n"))
    assert [line.split("'")[1] for line in found] == ["site", "restaging"]


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    lines = [f"{line},1" for line in GOOD]
    found = problems(cohort(tmp_path, *lines, header=HEADER.replace("\n", ",good_response\n")))
    assert found == ("row 1: column 'good_response' is there 2 times",)


def test_an_empty_an_absent_and_a_latin_file_are_named(tmp_path: Path) -> None:
    assert "there is no patient in it" in problems(cohort(tmp_path))[0]
    assert "does not exist" in problems(tmp_path / "P1")[0]
    (tmp_path / "cohort.csv").write_bytes((HEADER + "Müller,A,P1/baseline,,1\n").encode("latin-1"))
    assert "is not UTF-8" in problems(tmp_path)[0]


def test_a_row_that_ends_early_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    assert problems(cohort(tmp_path, *GOOD, "P3,A")) == (
        "row 4, column 'baseline': is missing: the row ends before it",
        "row 4, column 'restaging': is missing: the row ends before it",
    )


def test_a_row_with_more_cells_than_columns_is_named(tmp_path: Path) -> None:
    found = problems(cohort(tmp_path, GOOD[0], '"P2",Haus 1, Nord,P2/baseline,P2/restaging,0'))
    assert found == ("row 3: has more cells than there are columns; a cell with a comma in it stands in quotes",)


def test_rows_are_counted_as_in_the_file(tmp_path: Path) -> None:
    assert problems(cohort(tmp_path, GOOD[0], "", "P2,B,P2/baseline,P2/restaging,maybe")) == (
        "row 4, column 'good_response': 'maybe' is not 1, 0 or empty",
    )


def test_one_exam_given_twice_is_named(tmp_path: Path) -> None:
    found = problems(cohort(tmp_path, GOOD[0], "P2,B,./P1/baseline,P2/restaging,0", "P3,B,P3,P3/restaging,0"))
    assert found == (
        "row 3, column 'baseline': the folder is that of row 2, column 'baseline': one exam, given twice",
        "row 4, column 'restaging': the folder lies inside that of row 4, column 'baseline': one exam, given twice",
    )


@pytest.mark.parametrize(
    ("column", "known"), [("Excluded ", "excluded"), ("Therapy", "therapy"), ("DFS_months", "dfs_months")]
)
def test_a_column_that_is_a_known_one_but_for_spaces_or_capitals_is_refused(
    tmp_path: Path, column: str, known: str
) -> None:
    (found,) = problems(written(tmp_path, [row("P1", **{column: "1"})]))
    assert found == f"row 1: column '{column}' would be ignored: write it as '{known}', without spaces or capitals"


def test_other_columns_are_ignored_as_they_were(tmp_path: Path) -> None:
    assert read_cohort(written(tmp_path, [row("P1", **{"Excluded by whom": "me", "scanner": "X"})])).patients


def test_a_quote_that_is_never_closed_swallows_no_patient(tmp_path: Path) -> None:
    found = problems(cohort(tmp_path, GOOD[0], '"P2,B,P2/baseline,P2/restaging,0', "P3,B,P3/baseline,P3/restaging,0"))
    assert found == ("row 3: the quotes do not match (unexpected end of data); from here on no row was read",)
    (found,) = problems(cohort(tmp_path, GOOD[0], 'P2,B,"P2"/baseline,P2/restaging,0', GOOD[0]))
    assert found.startswith("row 3: the quotes do not match (',' expected after '\"')")
    assert "row 1: the quotes do not match" in problems(cohort(tmp_path, *GOOD, header='"' + HEADER))[0]


def test_one_exam_under_two_names_is_named(tmp_path: Path) -> None:
    folder = cohort(tmp_path, *GOOD)
    (folder / "P2/restaging/1.dcm").write_bytes((folder / "P1/restaging/1.dcm").read_bytes())
    said = "row 3, column 'restaging': its files are those of row 2, column 'restaging': one exam, given twice"
    assert problems(folder) == (said,)
    rows = [row("P1"), row("P2", excluded="a copy of P1")]
    written(tmp_path, rows)
    (folder / "P2/restaging/1.dcm").write_bytes((folder / "P1/restaging/1.dcm").read_bytes())
    assert len(read_cohort(folder).patients) == 2


@pytest.mark.parametrize("column", ["trg", "TRG", "trg_becker", "trg_AJCC"])
def test_a_column_of_an_unknown_trg_scheme_is_refused(tmp_path: Path, column: str) -> None:
    (found,) = problems(written(tmp_path, [row("P1", **{column: "1"})]))
    assert found.startswith(f"row 1: column '{column}' is of no known scheme of tumour regression grades")
    assert "trg_ajcc, trg_mandard, trg_dworak, trg_mr" in found


def test_a_clinical_value_that_is_none_is_named_with_row_and_column(tmp_path: Path) -> None:
    found = problems(written(tmp_path, [row("P1", trg_ajcc="2"), row("P2", cea_ng_ml="5 ug/L")]))
    assert found == (
        "row 2, column 'trg_ajcc': '2' names no scheme; schemes run in different directions: "
        "write AJCC-0, AJCC-1, AJCC-2, AJCC-3",
        "row 3, column 'cea_ng_ml': '5 ug/L' is not a plain number; write the number alone, in ng/mL, with a point",
    )


def test_the_digest_follows_table_files_and_truth(tmp_path: Path) -> None:
    first = read_cohort(cohort(tmp_path, *GOOD))
    assert read_cohort(tmp_path).digest == first.digest
    (tmp_path / "P2" / "restaging" / "1.dcm").write_bytes(b"x")
    second = read_cohort(tmp_path)
    assert second.digest != first.digest
    assert second.patients[0].sources == first.patients[0].sources
    assert second.patients[1].sources != first.patients[1].sources
    (tmp_path / "P1" / "truth").mkdir()
    (tmp_path / "P1" / "truth" / "baseline.dcm").write_bytes(b"x")
    third = read_cohort(tmp_path)
    assert third.digest != second.digest
    assert third.simulated  # planted masks lie there, though no probability is given


def test_every_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digested = []
    monkeypatch.setattr(read, "folder_digest", lambda folder: digested.append(folder) or str(folder))
    read_cohort(cohort(tmp_path, *GOOD))
    assert sorted(digested) == sorted(tmp_path / name / t for name in ("P1", "P2") for t in TimePoint)


def truth_cells(**changed: str) -> dict[str, str]:
    return dict.fromkeys(TRUTH, "0.25") | changed


def test_a_simulated_cohort_brings_its_truth_row_by_row(tmp_path: Path) -> None:
    rows = [row("P1", **truth_cells()), row("P2", **truth_cells(p_good_response_pair="0.75"))]
    found = read_cohort(written(tmp_path, rows))
    assert found.simulated and found.truth is not None
    assert np.array_equal(found.truth.probability(Outcome.GOOD_RESPONSE, InformationSet.PAIR), [0.25, 0.75])
    events = found.truth.events(Outcome.METASTASIS)
    assert events is not None and events.hazard.tolist() == [0.25, 0.25]


def test_a_truth_that_is_not_whole_is_no_truth(tmp_path: Path) -> None:
    cells = truth_cells()
    del cells["hazard_local_recurrence"]
    assert read_cohort(written(tmp_path, [row("P1", **cells)])).truth is None


def test_a_truth_that_cannot_be_is_named(tmp_path: Path) -> None:
    changed = truth_cells(p_good_response_pair="1.2", hazard_death="", observed_months="-3")
    found = problems(written(tmp_path, [row("P1", **changed)]))
    assert sorted(found) == [
        "row 2, column 'hazard_death': is empty; in a simulated cohort the truth of every patient is known",
        "row 2, column 'observed_months': '-3' is not a positive number",
        "row 2, column 'p_good_response_pair': '1.2' is not between 0 and 1",
    ]
