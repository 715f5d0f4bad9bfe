"""From stored studies to the files of an exam, and the digest of what was chosen from them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.sr.coding import Code as Concept

from node.clinical import import_values
from node.clinical_file import PatientValue
from node.gather import classified, gather_case, inputs_digest
from pipelines.clinical.dated import DatedValue, Name, Stem
from pipelines.contract import ClinicalRecord, Code, InputUnfit, Item, Role, Value
from pipelines.roles.site_rules import SiteRule
from tests.dicom_files import (
    BASELINE,
    LUMEN,
    RESTAGING,
    dwi,
    exam,
    localizer,
    mask,
    of_other_patient,
    report,
    t2_axial,
)
from tests.node.conftest import Bench
from tests.pipelines.made_reports import ABSENT, EMVI, PRESENT, answer, group
from tests.pipelines.made_reports import report as structured_report


def digest(bench: Bench) -> str:
    return inputs_digest(gather_case(bench.database, bench.store, (BASELINE.uid,), (RESTAGING.uid,)))


def emvi(value: Concept | str, **more: Any) -> Dataset:
    """A reader's report of the restaging exam, with whether there is extramural vascular invasion."""
    return structured_report(t2_axial(RESTAGING), group(answer(EMVI, value)), **more)


def changed_slice() -> Dataset:
    dataset = t2_axial(BASELINE)[2]
    dataset.PixelData = bytes(len(dataset.PixelData))
    return dataset


@pytest.fixture
def pair(bench: Bench) -> Bench:
    bench.receive(*exam(BASELINE), *exam(RESTAGING))
    return bench


def test_each_series_has_its_role(bench: Bench) -> None:
    bench.receive(*exam(BASELINE))
    with bench.database.reading() as connection:
        paths = [item.path for item in bench.store.objects_of(connection, (BASELINE.uid,))]
    roles = {str(role.role): len(series.paths) for series, role in classified(paths)}
    assert roles == {"t2_axial": 5, "dwi": 10, "other": 1}


def test_a_case_holds_the_chosen_series_of_both_exams(pair: Bench) -> None:
    case = gather_case(pair.database, pair.store, (BASELINE.uid,), (RESTAGING.uid,))
    assert case.baseline is not None
    assert case.restaging is not None
    assert case.baseline.study_uids == (BASELINE.uid,)
    assert str(case.restaging.study_date) == "2024-04-10"
    assert set(case.baseline.chosen) == {Role.T2_AXIAL, Role.DWI}
    assert len(case.baseline.chosen[Role.T2_AXIAL].paths) == 5
    assert case.patient.patient_id == "P1"


def test_the_sites_own_rules_decide_what_is_chosen(pair: Bench) -> None:
    refused = SiteRule(Role.OTHER, description="diff|dwi", note="broken coil")
    with_rule = gather_case(pair.database, pair.store, (BASELINE.uid,), (RESTAGING.uid,), (refused,))
    without = gather_case(pair.database, pair.store, (BASELINE.uid,), (RESTAGING.uid,))
    assert with_rule.baseline is not None
    assert set(with_rule.baseline.chosen) == {Role.T2_AXIAL}
    assert Code.SITE_RULE in {role.code for role in with_rule.baseline.refused}
    assert inputs_digest(with_rule) != inputs_digest(without)


def test_a_missing_side_stays_empty(pair: Bench) -> None:
    case = gather_case(pair.database, pair.store, (), (RESTAGING.uid,))
    assert case.baseline is None
    assert case.restaging is not None


def test_another_study_of_the_time_point_lends_the_role_that_is_missing(bench: Bench) -> None:
    complement = replace(BASELINE, number=3, date="20240112")
    bench.receive(*t2_axial(BASELINE), *t2_axial(complement), *dwi(complement))
    case = gather_case(bench.database, bench.store, (BASELINE.uid, complement.uid), ())
    assert case.baseline is not None
    assert case.baseline.chosen[Role.T2_AXIAL].role.study_uid == BASELINE.uid
    assert case.baseline.chosen[Role.DWI].role.study_uid == complement.uid
    assert any(complement.uid in choice for choice in case.baseline.choices)


def test_masks_of_readers_are_annotations_and_our_own_are_not(bench: Bench) -> None:
    bench.receive(*exam(BASELINE), mask(BASELINE), *exam(RESTAGING), mask(RESTAGING, manufacturer="Restage"))
    case = gather_case(bench.database, bench.store, (BASELINE.uid,), (RESTAGING.uid,))
    assert [len(one.annotations) for one in case.exams] == [1, 0]


def test_the_digest_is_the_same_in_whatever_order_the_objects_came(pair: Bench) -> None:
    before = digest(pair)
    pair.receive(*reversed([*exam(BASELINE), *exam(RESTAGING)]))
    assert digest(pair) == before


def test_reports_of_readers_are_gathered_and_our_own_are_not(bench: Bench) -> None:
    bench.receive(*exam(BASELINE), report(BASELINE), *exam(RESTAGING), emvi(PRESENT, Manufacturer="Restage"))
    case = gather_case(bench.database, bench.store, (BASELINE.uid,), (RESTAGING.uid,))
    assert [len(one.reports) for one in case.exams] == [1, 0]


@pytest.mark.parametrize(
    "late",
    [
        report(BASELINE),
        report(RESTAGING),
        t2_axial(RESTAGING)[0],
        mask(RESTAGING, manufacturer="RESTAGE"),
        mask(RESTAGING, algorithm="AUTOMATIC"),
        mask(RESTAGING, kind=LUMEN),
        emvi(PRESENT, device=True),
        emvi(PRESENT, Manufacturer="Restage"),
        emvi("equivocal"),
    ],
)
def test_what_is_not_chosen_leaves_the_digest_as_it_was(pair: Bench, late: Dataset) -> None:
    before = digest(pair)
    pair.receive(late)
    assert digest(pair) == before


def test_a_late_localizer_leaves_the_digest_as_it_was(bench: Bench) -> None:
    bench.receive(*t2_axial(BASELINE), *t2_axial(RESTAGING))
    before = digest(bench)
    bench.receive(*localizer(BASELINE))
    assert digest(bench) == before


@pytest.mark.parametrize(
    "late",
    [t2_axial(BASELINE, slices=6)[5:], dwi(RESTAGING, (50, 800, 400))[10:], [changed_slice()], [mask(BASELINE)]],
    ids=["slice", "b-value", "changed slice", "mask"],
)
def test_a_late_slice_a_changed_one_or_a_mask_changes_the_digest(pair: Bench, late: list[Dataset]) -> None:
    before = digest(pair)
    pair.receive(*late)
    assert digest(pair) != before


def test_what_a_reader_reports_changes_the_digest_and_the_same_file_again_does_not(pair: Bench) -> None:
    before = digest(pair)
    first = emvi(PRESENT)
    pair.receive(first)
    reported = digest(pair)
    assert reported != before
    pair.receive(first, emvi("equivocal"))
    assert digest(pair) == reported
    pair.receive(emvi(ABSENT, ContentDate="20240420"))
    assert digest(pair) not in (before, reported)


def test_a_contradiction_takes_a_variable_away_again(pair: Bench) -> None:
    before = digest(pair)
    pair.receive(emvi(PRESENT))
    reported = digest(pair)
    pair.receive(emvi(ABSENT))
    assert digest(pair) == before != reported


def test_the_configured_names_decide_which_annotation_is_meant(pair: Bench) -> None:
    named = mask(RESTAGING, kind=("108369006", "Neoplasm"))
    named.SegmentSequence[0].SegmentLabel = "Befund"
    del named.SegmentSequence[0].AnatomicRegionSequence
    case = gather_case(pair.database, pair.store, (BASELINE.uid,), (RESTAGING.uid,))
    pair.receive(named)
    later = gather_case(pair.database, pair.store, (BASELINE.uid,), (RESTAGING.uid,))
    assert inputs_digest(case) == inputs_digest(later)
    assert inputs_digest(case, "befund") != inputs_digest(later, "befund")


def test_which_exam_is_the_baseline_is_part_of_the_digest(pair: Bench) -> None:
    swapped = gather_case(pair.database, pair.store, (RESTAGING.uid,), (BASELINE.uid,))
    assert inputs_digest(swapped) != digest(pair)


def test_a_study_of_two_patients_is_refused(bench: Bench) -> None:
    bench.receive(*t2_axial(BASELINE), *dwi(of_other_patient(BASELINE)))
    with pytest.raises(InputUnfit) as caught:
        gather_case(bench.database, bench.store, (BASELINE.uid,), ())
    assert caught.value.code is Code.PATIENTS_DIFFER


def test_a_study_without_objects_is_refused(bench: Bench) -> None:
    with pytest.raises(InputUnfit):
        gather_case(bench.database, bench.store, ("1.2.3",), ())


# --- clinical values ---------------------------------------------------------------------------------------------

BEFORE, AFTER = date(2024, 1, 9), date(2024, 4, 9)


def take(bench: Bench, name: Name, value: Value, on: date = BEFORE, source: str = "labs.csv") -> None:
    import_values(bench.database, [PatientValue("P1", "", DatedValue(name, value, on, source))])


def test_a_case_has_what_was_imported_of_its_patient(pair: Bench) -> None:
    take(pair, Item.CEA, 7.2)
    take(pair, Stem.EMVI, "positive", AFTER)
    import_values(pair.database, [PatientValue("P2", "", DatedValue(Item.CA19_9, 7.2, BEFORE, "labs.csv"))])
    case = gather_case(pair.database, pair.store, (BASELINE.uid,), (RESTAGING.uid,))
    assert dict(case.record.values) == {Item.CEA: 7.2, Item.EMVI_RESTAGING: "positive"}
    assert case.record.origins[Item.CEA] == "CEA 7.2 ng/mL of 2024-01-09, imported from labs.csv"
    alone = gather_case(pair.database, pair.store, (), (RESTAGING.uid,))
    assert dict(alone.record.values) == {Item.EMVI_RESTAGING: "positive"}
    assert [one.code for one in alone.stated] == [Code.CLINICAL_UNFIT]


def test_a_value_that_counts_changes_the_digest_and_so_does_another_value_or_day(pair: Bench) -> None:
    digests = [digest(pair)]
    for value, on in ((7.2, BEFORE), (8.0, BEFORE), (8.0, BEFORE + timedelta(days=1))):
        take(pair, Item.CEA, value, on)
        digests.append(digest(pair))
    assert len(set(digests)) == 4


def test_the_same_value_again_and_one_of_another_time_leave_the_digest_as_it_was(pair: Bench) -> None:
    take(pair, Item.CEA, 7.2)
    before = digest(pair)
    take(pair, Item.CEA, 7.2, source="again.csv")
    take(pair, Item.CEA, 1.1, AFTER)
    take(pair, Item.CEA, 5.5, BEFORE - timedelta(days=3))
    assert digest(pair) == before


def test_without_clinical_values_the_digest_is_that_of_the_files_alone(pair: Bench) -> None:
    case = gather_case(pair.database, pair.store, (BASELINE.uid,), (RESTAGING.uid,))
    assert case.record == ClinicalRecord()
    assert inputs_digest(case) == inputs_digest(replace(case, record=ClinicalRecord()))
