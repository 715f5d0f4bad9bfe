"""Whether two studies under one PatientID are of one person."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from node.identity import is_confirmed, tell_apart
from node.records import StudyFacts
from pipelines.contract import Patient, Role

START = datetime(2024, 1, 1, 8)


def study(uid: str, received: int = 0, name: str = "DOE^JANE", birth: str = "19500301", sex: str = "F") -> StudyFacts:
    patient = Patient("4711", "HOSPITAL", name, birth, sex)
    roles = frozenset({Role.T2_AXIAL})
    return StudyFacts(uid, patient, date(2024, 1, 1), roles, "", 20, START + timedelta(hours=received))


SAME_NAMES = [
    ("DOE^JANE", "DOE^JANE"),
    ("DOE^JANE", "Doe^Jane "),
    ("DOE^JANE", "DOE^JANE^^^"),
    ("DOE^JANE", "DOE ^ JANE\0"),
    ("DOE^JANE", "DOE^JANE^^DR^MD"),
    ("DOE^JANE^ANNE", "DOE^JANE"),
    ("DOE^JANE", "DOE JANE"),
    ("DOE^JANE", "DOE, JANE"),
    ("DOE^JANE^ANNE", "DOE JANE"),
    ("DOE^JANE", "DOE"),
    ("VAN DER BERG^JAN", "VAN  DER BERG^JAN"),
    ("DOE^JANE", ""),
    ("DOE^JANE", "^^^^"),
    ("DOE^JANE", "^JANE"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "YAMADA^TAROU"),
    ("Yamada^Tarou=山田^太郎", "=山田^太郎"),
    ("ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ"),
    ("Straße^Jörg", "STRASSE^JÖRG"),
]
OTHER_NAMES = [
    ("DOE^JANE", "ROE^JANE"),
    ("DOE^JANE", "DOE^JOAN"),
    ("DOE^JANE^ANNE", "DOE^JANE^BETH"),
    ("DOE^JANE", "DOE JOAN"),
    ("DOE^JANE", "JANE^DOE"),
    ("Yamada^Tarou=山田^太郎", "Yamada^Tarou=山田^多朗"),
    ("DOE^JANE", "^JOAN"),
]


@pytest.mark.parametrize(("first", "second"), SAME_NAMES)
def test_a_name_written_another_way_or_left_blank_is_no_conflict(first: str, second: str) -> None:
    for here, there in ((first, second), (second, first)):
        identities = tell_apart([study("1", 0, name=here), study("2", 1, name=there)])
        assert [accepted.study_uid for accepted in identities.accepted] == ["1", "2"]


@pytest.mark.parametrize(("first", "second"), OTHER_NAMES)
def test_another_name_is_a_conflict_that_shows_both(first: str, second: str) -> None:
    for here, there in ((first, second), (second, first)):
        ((late, differences),) = tell_apart([study("1", 0, name=here), study("2", 1, name=there)]).conflicts
        assert late.study_uid == "2"
        assert [str(difference) for difference in differences] == [
            f"PatientName is '{there}' here and '{here}' in study 1"
        ]


@pytest.mark.parametrize("birth", ["19500301", "1950.03.01", "1950-03-01", " 19500301", "", "00000000"])
def test_a_birth_date_written_another_way_or_left_blank_is_no_conflict(birth: str) -> None:
    assert not tell_apart([study("1"), study("2", 1, birth=birth)]).conflicts


@pytest.mark.parametrize("sex", ["F", "f ", "", "U", "F\0"])
def test_a_sex_written_another_way_or_unknown_is_no_conflict(sex: str) -> None:
    assert not tell_apart([study("1"), study("2", 1, sex=sex)]).conflicts


def test_every_attribute_that_differs_is_named() -> None:
    ((_, differences),) = tell_apart([study("1"), study("2", 1, "ROE^JIM", "19610101", "M")]).conflicts
    assert [difference.attribute for difference in differences] == ["PatientName", "PatientBirthDate", "PatientSex"]


def test_who_was_received_first_keeps_the_patient_id_whatever_the_order() -> None:
    early, late = study("9", 0, name="DOE^JANE"), study("1", 5, name="ROE^JANE")
    for studies in ([early, late], [late, early]):
        identities = tell_apart(studies)
        assert identities.accepted == (early,)
        assert identities.conflicts[0][0] == late


def test_a_conflict_with_any_accepted_study_counts_also_where_the_first_one_is_blank() -> None:
    blank = study("1", 0, birth="")
    known, other = study("2", 1, birth="19500301"), study("3", 2, birth="19600301")
    assert [late.study_uid for late, _ in tell_apart([blank, known, other]).conflicts] == ["3"]


def test_identity_is_confirmed_by_name_or_birth_date_in_both_never_by_sex_alone() -> None:
    full, blank = study("1").patient, study("2", name="", birth="").patient
    assert is_confirmed(full, full)
    assert is_confirmed(full, study("2", name="").patient)
    assert is_confirmed(full, study("2", birth="").patient)
    assert not is_confirmed(full, blank)
    assert not is_confirmed(blank, blank)
