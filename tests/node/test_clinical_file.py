"""Tables of clinical values: what is read, and how every problem is named."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from node import clinical_file
from node.clinical_file import PatientValue, TableUnfit, explanation, header, read_table
from pipelines.clinical.dated import DatedValue, Stem
from pipelines.contract import Code, Item

TODAY = date(2026, 6, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labs.csv"


def read(path: Path, text: str) -> tuple[PatientValue, ...]:
    path.write_bytes(text.encode())
    return read_table(path, TODAY)


def problems(path: Path, text: str) -> list[str]:
    with pytest.raises(TableUnfit) as unfit:
        read(path, text)
    assert unfit.value.code is Code.CLINICAL_UNFIT
    return list(unfit.value.problems)


def test_a_row_gives_the_values_of_its_cells_and_blank_ones_give_none(path: Path) -> None:
    found = read(path, "patient_id,date,cea_ng_ml,ct_stage\nP1,2026-03-02, 7.2 ,\n\nP2,2026-03-03,,cT3b\n")
    assert found == (
        PatientValue("P1", "", DatedValue(Item.CEA, 7.2, date(2026, 3, 2), "labs.csv"), 2),
        PatientValue("P2", "", DatedValue(Item.CT_STAGE, "cT3b", date(2026, 3, 3), "labs.csv"), 4),
    )


def test_an_exam_in_the_row_decides_of_which_exam_a_stem_speaks(path: Path) -> None:
    rows = "P1,2026-03-02,baseline,pos,11\nP1,2026-03-03,Restaging,neg,\nP1,2026-03-04,,neg,\n"
    found = read(path, "patient_id,date,exam,emvi,mwt_mm\n" + rows)
    assert [one.dated.name for one in found] == [
        Item.EMVI_BASELINE,
        Item.MWT_BASELINE,
        Item.EMVI_RESTAGING,
        Stem.EMVI,
    ]


def test_a_byte_order_mark_spaces_and_quotes_are_no_matter(path: Path) -> None:
    found = read(
        path, '\ufeff"patient_id", issuer ,date,histology\r\n"P1",HOSPITAL,2026-03-02,"Mucinous carcinoma"\r\n'
    )
    assert [(one.issuer, one.dated.value) for one in found] == [("HOSPITAL", "mucinous adenocarcinoma")]


def test_every_problem_is_named_with_row_and_column(path: Path) -> None:
    text = "patient_id,date,exam,cea_ng_ml,trg_ajcc,emvi,surname\n"
    text += 'P1,2026-03-02,,"7,2",1,maybe,x\n,2026-13-02,early,5,AJCC-1,,\nP3,2026-06-02,,9e9,,,\nP4,2026-01-01\n'
    found = problems(path, text)
    assert [problem.split(": ")[0] for problem in found] == [
        "row 1, column 'surname'",
        "row 2, column cea_ng_ml",
        "row 2, column trg_ajcc",
        "row 2, column emvi",
        "row 3, column patient_id",
        "row 3, column date",
        "row 3, column exam",
        "row 4, column date",
        "row 4, column cea_ng_ml",
        "row 5",
    ]
    assert "cea_ng_ml" in found[0] and "mwt_mm" in found[0] and "mwt_baseline_mm" in found[0]
    assert "names no scheme" in found[2]
    assert "in the future" in found[7]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no column patient_id"),
        ("patient_id;date;cea_ng_ml\nP1;2026-03-02;7\n", "write commas"),
        ("patient_id,cea_ng_ml\nP1,7\n", "has no column date"),
        ("patient_id,date\nP1,2026-03-02\n", "no column with values"),
        ("patient_id,date,cea_ng_ml,cea_ng_ml\n", "stands there twice"),
        ('patient_id,date,cea_ng_ml\n"P1,2026-03-02,7\n', "it is no CSV"),
        ("patient_id,date,exam,emvi_baseline\nP1,2026-03-02,restaging,pos\n", "row of the restaging exam"),
        ("patient_id,date,therapy_start,therapy_end\nP1,2026-03-02,2026-03-02,2026-03-01\n", "is before therapy_start"),
        ("patient_id,date,cea_ng_ml\nP1,2026-03-02,7\nP1,2026-03-02,8\n", "another value than row 2"),
        ("patient_id,date,cea_ng_ml\nP\\1,2026-03-02,7\n", "is no identifier"),
    ],
)
def test_what_is_wrong_is_said(path: Path, text: str, said: str) -> None:
    assert any(said in problem for problem in problems(path, text))


def test_a_value_given_twice_is_one_value(path: Path) -> None:
    assert len(read(path, "patient_id,date,cea_ng_ml\nP1,2026-03-02,7\nP1,2026-03-02,7.0\n")) == 1


def test_a_file_in_another_encoding_is_refused(path: Path) -> None:
    path.write_bytes("patient_id,date,cea_ng_ml\nMüller,2026-03-02,7\n".encode("latin-1"))
    with pytest.raises(TableUnfit, match="not UTF-8"):
        read_table(path, TODAY)


def test_a_file_that_is_too_large_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clinical_file, "MAX_BYTES", 20)
    assert "20 are allowed" in problems(path, "patient_id,date,cea_ng_ml\n")[0]


def test_a_pipe_is_no_file(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(TableUnfit, match="it is no file"):
        read_table(path, TODAY)


def test_what_a_cell_says_never_reaches_the_terminal_as_a_command(path: Path) -> None:
    (problem,) = problems(path, "patient_id,date,cea_ng_ml\nP1,2026-03-02,\x1b]0;mine\x07\n")
    assert "\x1b" not in problem and "\x07" not in problem


def test_no_more_problems_are_printed_than_a_person_reads(path: Path) -> None:
    with pytest.raises(TableUnfit, match="and 50 more") as unfit:
        read(path, "patient_id,date,cea_ng_ml\n" + "P1,2026-03-02,much\n" * 100)
    assert len(unfit.value.problems) == 100


def test_the_template_is_a_table_without_rows_and_every_column_is_explained(path: Path) -> None:
    assert read(path, header() + "\n") == ()
    for column in header().split(","):
        assert f"  {column}: " in explanation()
    assert "a number in ng/mL" in explanation()
