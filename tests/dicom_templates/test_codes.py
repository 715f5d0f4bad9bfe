from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pydicom.sr.coding import Code as Concept

from dicom_templates import codes
from dicom_templates.conformance import conformance_codes
from dicom_templates.errors import TemplateError
from pipelines.contract import COMPLETE_RESPONSE, GOOD_RESPONSE, METASTASIS, RECURRENCE, Code, Likelihood


def test_every_statement_of_the_contract_has_a_published_code() -> None:
    assert set(codes.STATEMENTS) == set(Code)


def test_every_outcome_of_the_contract_has_a_definition() -> None:
    assert set(codes.OUTCOMES) == {GOOD_RESPONSE, COMPLETE_RESPONSE, METASTASIS, RECURRENCE}
    for outcome in codes.OUTCOMES.values():
        definition = outcome.probability.definition
        assert all(word in definition for word in ("Horizon: ", "Event: ", "ensor"))
    for name in (METASTASIS, RECURRENCE):
        assert "Time zero: the day of surgery" in codes.OUTCOMES[name].probability.definition
    assert "Competing risk: death" in codes.OUTCOMES[METASTASIS].probability.definition


def test_a_wanted_outcome_is_likely_and_a_feared_one_a_risk() -> None:
    for outcome in codes.OUTCOMES.values():
        word = "likelihood of" if outcome.favourable else "risk of"
        assert all(word in category.meaning for category in outcome.categories.values())
        assert (outcome.event_free is None) is outcome.favourable


def test_every_category_of_every_outcome_has_a_published_code() -> None:
    for outcome in codes.OUTCOMES.values():
        assert set(outcome.categories) == set(Likelihood)


def test_private_values_and_meanings_are_unique_and_defined() -> None:
    table = codes.private_codes()
    assert max(Counter(code.value for code in table).values()) == 1
    assert max(Counter(code.meaning for code in table).values()) == 1
    assert all(code.definition for code in table)


def test_every_private_code_of_the_module_is_in_the_table() -> None:
    defined = {value for value in vars(codes).values() if isinstance(value, codes.PrivateCode)}
    assert defined <= set(codes.private_codes())


def test_every_standard_code_has_the_dictionary_meaning() -> None:
    standard = [value for value in vars(codes).values() if isinstance(value, Concept)]
    assert len(standard) > 20
    for concept in standard:
        assert concept.meaning in codes.meanings(concept.value, concept.scheme_designator)


def test_a_right_code_with_a_wrong_meaning_is_not_known() -> None:
    assert "MR pelvis" not in codes.meanings("24869-0", "LN")  # it is ultrasound: the trap this guards against
    assert codes.meanings("NO_SUCH", "99RESTAGE") == frozenset()


def test_a_code_too_long_for_its_attribute_is_refused_at_birth() -> None:
    with pytest.raises(ValueError, match="too long"):
        codes.PrivateCode("A_CODE_OF_17_CHAR", "meaning", "definition")


def test_an_outcome_without_a_definition_is_refused() -> None:
    assert codes.outcome(GOOD_RESPONSE).words == "good response (TRG 0–1)"
    with pytest.raises(TemplateError, match="no published definition"):
        codes.outcome("eternal life")


def test_the_conformance_chapter_is_current() -> None:
    chapter = Path(__file__).resolve().parents[2] / "deploy" / "conformance-codes.md"
    assert chapter.read_text() == conformance_codes(), "run: python -m dicom_templates.conformance > that file"
