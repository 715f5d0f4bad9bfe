"""Several reports of one exam: which of them says a variable, and when none does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sr.coding import Code as Concept

from pipelines.contract import ClinicalVariable, Code, ExamFiles, Statement, TimePoint, Variable
from pipelines.exam import assemble
from pipelines.reports.clinical_variables import find_clinical_variables
from pipelines.roles.series import classify
from tests.pipelines.made_reports import (
    ABSENT,
    CM,
    CRM_DISTANCE,
    CT_CATEGORY,
    EMVI,
    PRESENT,
    answer,
    group,
    number,
    ours,
    report,
    saved,
)
from tests.pipelines.made_series import T2, Grid, Maker

WALL = ours(Variable.WALL_THICKNESS)
CRANIOCAUDAL = Concept("RDE103", "RADELEMENT", "Craniocaudal length")
DIAMETER = Concept("L0JK", "IBSI", "Maximum 3D Diameter of a Mesh")


@dataclass(frozen=True)
class Study:
    """A study and the reports filed in it."""

    maker: Maker
    sources: list[Dataset]

    def file(self, *groups: Any, **attributes: Any) -> Path:
        return saved(report(self.sources, *groups, **attributes), self.maker.folder)

    def exam(self, *reports: Path) -> ExamFiles:
        headers = self.maker.headers(self.sources)
        return assemble([(headers, classify(headers))], TimePoint.RESTAGING, (), reports)

    def found(self, *reports: Path) -> tuple[dict[Variable, ClinicalVariable], tuple[Statement, ...]]:
        variables, statements = find_clinical_variables(self.exam(*reports))
        return {one.variable: one for one in variables}, statements


@pytest.fixture
def study(tmp_path: Path) -> Study:
    maker = Maker(tmp_path)
    sources = maker.slices(np.ones((6, 12, 12)), Grid(), T2)
    maker.write(sources)
    return Study(maker, sources)


def test_an_exam_without_reports_has_no_variables(study: Study) -> None:
    assert find_clinical_variables(study.exam()) == ((), ())


def test_each_variable_is_said_by_the_newest_report_that_has_it(study: Study) -> None:
    old = study.file(group(answer(EMVI, ABSENT), number(WALL, 8)), ContentDate="20240411", SeriesDescription="first")
    new = study.file(group(answer(EMVI, PRESENT)), ContentDate="20240413")
    for order in ((old, new), (new, old)):
        found, statements = study.found(*order)
        assert statements == ()
        assert found[Variable.EMVI].category == "positive"
        assert found[Variable.EMVI].origin.endswith("newer than report 'first' of 2024-04-11 said negative")
        assert found[Variable.WALL_THICKNESS].millimetres == 8.0


def test_a_report_is_as_new_as_its_verification(study: Study) -> None:
    verified = study.file(group(answer(EMVI, ABSENT)), ContentTime="080000", verified_by="Chief^Bob")
    later = study.file(group(answer(EMVI, PRESENT)), ContentTime="123000")
    found, _ = study.found(verified, later)
    assert found[Variable.EMVI].category == "negative"
    assert "verified by Chief^Bob" in found[Variable.EMVI].origin


def test_of_equally_new_reports_a_final_one_comes_before_a_preliminary_one(study: Study) -> None:
    draft = study.file(group(answer(EMVI, PRESENT)), PreliminaryFlag="PRELIMINARY")
    final = study.file(group(answer(EMVI, ABSENT)))
    found, _ = study.found(draft, final)
    assert found[Variable.EMVI].category == "negative"


def test_equally_new_reports_that_contradict_each_other_give_no_value(study: Study) -> None:
    one = study.file(group(answer(EMVI, ABSENT), number(WALL, 9)), SeriesDescription="A")
    other = study.file(group(answer(EMVI, PRESENT), number(WALL, 0.9, CM)), SeriesDescription="B")
    found, (conflict,) = study.found(one, other)
    assert set(found) == {Variable.WALL_THICKNESS}
    assert conflict.code is Code.CLINICAL_CONFLICT
    assert conflict.subject == "restaging emvi"
    assert "negative and positive contradict each other" in conflict.reason
    assert "'A'" in conflict.reason
    assert "'B'" in conflict.reason


def test_one_report_that_contradicts_itself_gives_no_value_and_no_older_one_steps_in(study: Study) -> None:
    torn = study.file(group(number(CRM_DISTANCE, 1)), group(number(CRM_DISTANCE, 4)))
    older = study.file(group(number(CRM_DISTANCE, 2)), ContentDate="20240301")
    found, (conflict,) = study.found(torn, older)
    assert found == {}
    assert "1 mm and 4 mm" in conflict.reason


def test_a_finer_stage_refines_a_coarser_one(study: Study) -> None:
    found, statements = study.found(study.file(group(answer(CT_CATEGORY, "T3"), answer(CT_CATEGORY, "mrT3c"))))
    assert statements == ()
    assert found[Variable.T_STAGE].category == "T3c"


def test_a_length_of_the_tumour_is_taken_before_a_diameter(study: Study) -> None:
    both = group(number(CRANIOCAUDAL, 41), number(DIAMETER, 52))
    found, statements = study.found(study.file(both))
    assert statements == ()
    assert found[Variable.TUMOUR_LENGTH].millimetres == 41.0


def test_what_cannot_be_used_is_stated_and_the_rest_is_used(study: Study) -> None:
    found, (unfit,) = study.found(study.file(group(answer(CT_CATEGORY, "T9"), number(WALL, 9))))
    assert set(found) == {Variable.WALL_THICKNESS}
    assert unfit.code is Code.READER_REPORT_UNFIT
    assert unfit.subject == "restaging reader's report"
    assert unfit.reason.startswith("report 'Rectal MRI' of 2024-04-12: ")


def test_a_broken_file_is_stated(study: Study) -> None:
    broken = study.maker.folder / "broken.dcm"
    broken.write_bytes(b"")
    _, (unfit,) = study.found(broken)
    assert "broken.dcm cannot be read" in unfit.reason
