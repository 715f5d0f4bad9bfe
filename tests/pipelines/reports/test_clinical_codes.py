from __future__ import annotations

import re

import pytest
from pydicom.sr import _concepts_dict
from pydicom.sr.codedict import codes

from pipelines.contract import CATEGORIES, CATEGORY_CODES, PRIVATE_SCHEME, VARIABLE_CODES, InputUnfit, Variable
from pipelines.reports.clinical_codes import (
    CONCEPTS,
    DERIVATIONS,
    NEGATIVE,
    POSITIVE,
    RECTAL_SITES,
    STAGES,
    TIME_POINT_TYPES,
    category_by_code,
    in_millimetres,
)
from pipelines.reports.content_tree import Coded
from tests.conftest import REPOSITORY

MEANINGS = [
    ((value, scheme), entry[value][0])
    for scheme, keywords in _concepts_dict.concepts.items()
    for entry in keywords.values()
    for value in entry
]


def meanings(key: tuple[str, str]) -> set[str]:
    return {meaning for known, meaning in MEANINGS if known == key}


@pytest.mark.parametrize(
    ("key", "meaning"),
    [
        (("112233", "DCM"), "Distance from anus"),
        (("122445", "DCM"), "Wall Thickness"),
        (("410668003", "SCT"), "Length"),
        (("103339001", "SCT"), "Long axis"),
        (("L0JK", "IBSI"), "Maximum 3D Diameter of a Mesh"),
    ],
)
def test_concepts_of_the_standard_have_the_meaning_that_the_standard_prints(key: tuple[str, str], meaning: str) -> None:
    assert key in CONCEPTS
    assert meaning in meanings(key)


def test_answers_and_times_of_the_standard_are_on_their_side() -> None:
    assert {(code.value, code.scheme_designator) for code in (codes.SCT.Present, codes.SCT.Yes)} <= POSITIVE
    assert {(code.value, code.scheme_designator) for code in (codes.SCT.Absent, codes.SCT.No)} <= NEGATIVE
    assert not POSITIVE & NEGATIVE
    known = {(code.value, code.scheme_designator) for code in (codes.cid6146.Baseline, codes.cid6146.Posttreatment)}
    assert known <= set(TIME_POINT_TYPES)
    assert (codes.SCT.Rectum.value, "SCT") in RECTAL_SITES
    assert all({"Maximum", "Minimum"} & meanings(key) for key in DERIVATIONS.values())


def test_every_stage_is_a_category() -> None:
    assert set(STAGES.values()) <= {*CATEGORIES[Variable.T_STAGE], *CATEGORIES[Variable.N_STAGE]}
    assert set(CATEGORIES[Variable.N_STAGE]) <= set(STAGES.values())


def test_the_private_codes_are_read_as_they_are_published() -> None:
    assert {Variable.TUMOUR_LENGTH, Variable.ANAL_VERGE_DISTANCE}.isdisjoint(VARIABLE_CODES)
    for variable, (value, meaning) in VARIABLE_CODES.items():
        assert CONCEPTS[value, PRIVATE_SCHEME].variable is variable
        assert len(value) <= 16
        assert len(meaning) <= 64
    for (variable, category), (value, meaning) in CATEGORY_CODES.items():
        assert category_by_code(variable, Coded(value, PRIVATE_SCHEME, meaning)) == category
        assert len(value) <= 16
        assert len(meaning) <= 64


def test_a_code_of_another_variable_is_no_category() -> None:
    assert category_by_code(Variable.T_STAGE, Coded("1229973008", "SCT", "cN1")) == ""
    assert category_by_code(Variable.EMVI, Coded("MRF_POSITIVE", PRIVATE_SCHEME, "")) == ""
    assert category_by_code(Variable.MRF_INVOLVEMENT, Coded("RDE120.1", "RADELEMENT", "threatened")) == ""


def test_lengths_are_converted_and_anything_else_is_refused() -> None:
    assert in_millimetres(1.2, Coded("cm", "UCUM", "centimeter")) == 12.0
    assert in_millimetres(0.0, Coded("mm", "UCUM", "mm")) == 0.0
    for number, unit, said in (
        (3.0, Coded("", "", ""), "none"),
        (3.0, Coded("cm", "99X", "cm"), "99X"),
        (3.0, Coded("cm2", "UCUM", "cm2"), "cm2"),
        (-1.0, Coded("mm", "UCUM", "mm"), "-1 mm"),
        (90.0, Coded("cm", "UCUM", "cm"), "90 cm"),
    ):
        with pytest.raises(InputUnfit) as refused:
            in_millimetres(number, unit)
        assert said in refused.value.reason


def test_every_concept_that_is_read_is_published() -> None:
    chapter = (REPOSITORY / "deploy" / "conformance-readers.md").read_text(encoding="utf-8")
    published = set(re.findall(r"\(([\w.-]+), (\w+)\)", chapter))
    assert set(CONCEPTS) <= published
