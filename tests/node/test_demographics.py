"""Whether the archive has a study under the result's patient."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.demographics import Agreement, ArchivedPatient, compare
from pipelines.contract import Patient

OURS = Patient("4711", "HOSPITAL", "DOE^JANE", "19500301", "F")


def agreement(ours: Patient = OURS, encoding: str = "utf-8", **theirs: str) -> Agreement:
    return compare(ours, ArchivedPatient(replace(ours, **theirs), encoding)).agreement


def test_the_same_patient_is_identical() -> None:
    assert agreement() is Agreement.IDENTICAL


@pytest.mark.parametrize(
    "theirs",
    [
        {"name": "Doe^Jane"},
        {"name": "DOE^JANE^^^"},
        {"name": "DOE^JANE "},
        {"name": "DOE"},
        {"name": "DOE^JANE^^DR"},
        {"name": "DOE^JANE=山田^太郎"},
        {"name": ""},
        {"issuer": ""},
        {"patient_id": ""},
        {"patient_id": "4711 "},
        {"birth_date": ""},
        {"birth_date": "1950.03.01"},
        {"sex": ""},
        {"sex": "f"},
    ],
)
def test_the_same_written_another_way_or_left_blank_is_compatible(theirs: dict[str, str]) -> None:
    assert agreement(**theirs) is Agreement.COMPATIBLE


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ({"name": "ROE^JANE"}, "PatientName is 'DOE^JANE' in the result and 'ROE^JANE' in the archive"),
        ({"birth_date": "19600301"}, "PatientBirthDate is '19500301' in the result and '19600301' in the archive"),
        ({"sex": "M"}, "PatientSex is 'F' in the result and 'M' in the archive"),
        ({"patient_id": "0815"}, "PatientID is '4711' in the result and '0815' in the archive"),
        ({"patient_id": "04711"}, "PatientID is '4711' in the result and '04711' in the archive"),
        ({"issuer": "CLINIC"}, "IssuerOfPatientID is 'HOSPITAL' in the result and 'CLINIC' in the archive"),
    ],
)
def test_another_value_is_a_mismatch_that_shows_both(theirs: dict[str, str], words: str) -> None:
    found = compare(OURS, ArchivedPatient(replace(OURS, **theirs)))
    assert found.agreement is Agreement.MISMATCH
    assert found.differences == (words,)


def test_every_attribute_that_differs_is_named() -> None:
    found = compare(OURS, ArchivedPatient(Patient("1", "X", "ROE^JIM", "19610101", "M")))
    assert len(found.differences) == 5


@pytest.mark.parametrize(
    ("name", "answered", "encoding"),
    [
        ("Łucja^Żak", "ucja^ak", "iso8859-1"),
        ("Łucja^Żak", "?ucja^?ak", "iso8859-1"),
        ("Yamada^Tarou=山田^太郎", "Yamada^Tarou=^", "iso8859-1"),
        ("山田^太郎", "^", "ascii"),
        ("MÜLLER^JÖRG", "MÃ\x9cLLER^JÃ\x96RG", "ascii"),
        ("Mu\u0308ller^Jo\u0308rg", "Müller^Jörg", "iso8859-1"),
    ],
)
def test_letters_that_the_archives_character_set_cannot_hold_are_no_evidence(
    name: str, answered: str, encoding: str
) -> None:
    assert agreement(replace(OURS, name=name), encoding, name=answered) is Agreement.COMPATIBLE


@pytest.mark.parametrize(
    ("name", "answered", "encoding"),
    [
        ("Łucja^Żak", "ucja^ak", "utf-8"),
        ("Łucja^Żak", "Anna^ak", "iso8859-1"),
        ("MÜLLER^JÖRG", "MÖLLER^JÖRG", "iso8859-1"),
        ("DOE^JANE", "D?E^JANE", "ascii"),
    ],
)
def test_letters_that_it_can_hold_and_that_differ_are_a_mismatch(name: str, answered: str, encoding: str) -> None:
    assert agreement(replace(OURS, name=name), encoding, name=answered) is Agreement.MISMATCH


def test_an_illegible_name_does_not_hide_another_birth_date() -> None:
    ours = replace(OURS, name="Łucja^Żak")
    found = compare(ours, ArchivedPatient(replace(ours, name="ucja^ak", birth_date="19000101"), "iso8859-1"))
    assert [words.split(" ")[0] for words in found.differences] == ["PatientBirthDate"]
