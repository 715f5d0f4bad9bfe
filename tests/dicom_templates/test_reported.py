from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dicom_templates import codes, reported
from dicom_templates.errors import TemplateError
from pipelines.contract import CATEGORIES, ClinicalVariable, Exam, Findings, Variable

MakeFindings = Callable[..., Findings]


@pytest.fixture
def exam(make_findings: MakeFindings) -> Exam:
    found = make_findings("four systems").case.baseline
    assert found is not None
    return found


def test_every_variable_has_a_place_and_a_code() -> None:
    assert set(reported.ORDER) == set(codes.VARIABLES) == set(Variable)
    assert set(codes.VARIABLE_CATEGORIES) == {(one, value) for one, values in CATEGORIES.items() for value in values}


def test_wall_then_fascia_then_veins_then_nodes(exam: Exam) -> None:
    (said,) = reported.reported_of(exam)
    assert [one.variable for one in said.variables] == list(reported.ORDER)
    assert reported.reported_sentences(exam, said) == (
        "Baseline MR of 2024-03-04, as reported: tumour length 38.5 mm; distance from the anal verge 62 mm; maximum "
        "wall thickness 14 mm; T stage T3c on MRI; shortest distance to the mesorectal fascia 0.8 mm; mesorectal "
        "fascia involved (MRF positive); extramural vascular invasion (EMVI positive); N stage N2a on MRI. Source: "
        "Muster^Max in 'MR rectum' of 2024-03-05. Copied, not measured by this software."
    )


def test_a_value_keeps_what_its_origin_says_of_it_alone() -> None:
    one = ClinicalVariable(
        Variable.EMVI, "A in 'x' of 2024-01-01; coded y; newer than B said positive", None, "negative"
    )
    assert reported.how_reported(one) == "coded y; newer than B said positive"
    assert reported.how_reported(replace(one, origin="A in 'x' of 2024")) == ""


def test_one_source_that_says_a_thing_twice_is_refused(exam: Exam) -> None:
    again = replace(exam, clinical=(*exam.clinical, exam.clinical[0]))
    with pytest.raises(TemplateError, match="n_stage of the baseline exam twice"):
        reported.reported_of(again)


def test_an_exam_that_nobody_reported_on_has_nothing(make_findings: MakeFindings) -> None:
    exam = make_findings("good response").case.restaging
    assert exam is not None
    assert reported.reported_of(exam) == ()
