"""Inputs as they come: missing attributes, noisy geometry, names of the world, texts at and over their limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_templates.encode import write_part10
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Item, Kind
from dicom_templates.profile import Rendering
from dicom_templates.results import build_results
from dicom_templates.text import report_text
from pipelines.contract import Case, Exam, Findings, InputUnfit, Patient, Role, TimePoint
from tests.dicom_templates.conftest import PATIENT, chosen_series, tell
from tests.dicom_templates.made_report import items, name, texts
from tests.programs import output_of

MakeExam = Callable[..., Exam]
Edit = Callable[[Dataset, int], None]
Pair = Callable[..., Findings]

NAMES = {
    "Chinese, GB18030": ("GB18030", "Wang^XiaoDong=王^小东"),
    "Chinese, UTF-8": ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
    "Japanese, ISO 2022": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "Japanese, half-width": (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    "Korean, ISO 2022": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "Cyrillic, ISO 8859-5": ("ISO_IR 144", "Люкceмбypг^Анна"),
    "Cyrillic, UTF-8": ("ISO_IR 192", "Иванова^Мария^Петровна"),
    "Greek, ISO 8859-7": ("ISO_IR 126", "Διονυσιος^Άννα"),
    "German, ISO 8859-1": ("ISO_IR 100", "Äneas^Rüdiger"),
}


@pytest.fixture(scope="module")
def pair(make_exam: MakeExam) -> Pair:
    """Findings of a pair whose T2 files ``edit`` has changed."""

    def make(edit: Edit, patient: Patient = PATIENT) -> Findings:
        exams = [make_exam(time_point, 12.0, patient=patient, edit=edit) for time_point in TimePoint]
        return tell("good response", exams[0], exams[1])

    return make


def objects(findings: Findings, identity: ResultIdentity) -> dict[Kind, Dataset]:
    """The default objects, which ``build_results`` has read again from their bytes and checked."""
    return {result.kind: result.dataset for result in build_results(findings, identity)}


def nothing(ds: Dataset, index: int) -> None:
    """As it is."""


def test_without_a_frame_of_reference_nothing_can_be_placed(pair: Pair, identity: ResultIdentity) -> None:
    def edit(ds: Dataset, index: int) -> None:
        del ds.FrameOfReferenceUID

    findings = pair(edit)
    with pytest.raises(InputUnfit, match="no Frame of Reference UID"):
        build_results(findings, identity)


def test_without_a_frame_of_reference_the_report_alone_still_says_the_numbers(
    pair: Pair, identity: ResultIdentity
) -> None:
    def edit(ds: Dataset, index: int) -> None:
        del ds.FrameOfReferenceUID

    unplaced = replace(identity, rendering=Rendering(with_segmentations=False))
    (result,) = build_results(pair(edit), unplaced, {Item.REPORT})
    names = [name(item) for item in items(result.dataset)]
    assert "Volume" in names
    assert "Frame of Reference UID" not in names


def test_missing_attributes_of_type_2_become_empty_ones(pair: Pair, identity: ResultIdentity) -> None:
    missing = (
        *("AccessionNumber", "StudyID", "ReferringPhysicianName"),
        *("PatientBirthDate", "PatientSex", "StudyTime"),
    )

    def edit(ds: Dataset, index: int) -> None:
        for keyword in missing:
            delattr(ds, keyword)

    for dataset in objects(pair(edit), identity).values():
        for keyword in missing:
            assert keyword in dataset
            assert not dataset.get(keyword)


def test_missing_descriptions_issuer_and_date_are_no_obstacle(pair: Pair, identity: ResultIdentity) -> None:
    def edit(ds: Dataset, index: int) -> None:
        for keyword in ("StudyDescription", "SeriesDescription", "IssuerOfPatientID", "StudyDate"):
            delattr(ds, keyword)

    assert report_text(objects(pair(edit), identity)[Kind.REPORT])


def test_orientations_that_differ_in_the_sixth_digit_are_one_orientation(pair: Pair, identity: ResultIdentity) -> None:
    def edit(ds: Dataset, index: int) -> None:
        noise = (0.0, 3e-6, -4e-6)[index % 3]
        ds.ImageOrientationPatient = [f"{float(value) + noise:.9f}" for value in ds.ImageOrientationPatient]

    made = objects(pair(edit), identity)
    assert set(made) == {Kind.SEG_BASELINE, Kind.SEG_RESTAGING, Kind.REPORT, Kind.SUMMARY}


def test_a_source_with_several_b_values_is_cited_whole_and_named_with_them(
    make_exam: MakeExam, pair: Pair, identity: ResultIdentity
) -> None:
    """Three images at every position, one for each b-value, in one series."""

    def diffusion(ds: Dataset, index: int) -> None:
        ds.SeriesInstanceUID, ds.SeriesDescription = f"{ds.StudyInstanceUID}.5", "ep2d_diff_b50_400_800"
        ds.SOPInstanceUID = f"{ds.StudyInstanceUID}.5.{index + 1}"
        ds.DiffusionBValue = float((50, 400, 800)[index % 3])
        ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], f"{-60 + 4 * (index // 3)}"]

    findings = pair(nothing)
    source = make_exam(TimePoint.RESTAGING, 9.0, edit=diffusion)
    exam = findings.case.restaging
    assert exam is not None
    header = Dataset()
    header.SeriesInstanceUID, header.StudyInstanceUID = "1.2.826.0.1.999.2.5", "1.2.826.0.1.999.2"
    header.SeriesDescription = "ep2d_diff_b50_400_800"
    chosen = {**exam.files.chosen, Role.DWI: chosen_series(Role.DWI, header, source.t2_paths, (50.0, 400.0, 800.0))}
    with_dwi = replace(exam, files=replace(exam.files, chosen=chosen), dwi={800.0: exam.t2})
    made = objects(replace(findings, case=Case(findings.case.baseline, with_dwi)), identity)
    report = made[Kind.REPORT]
    cited = [
        str(instance.ReferencedSOPInstanceUID)
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    ]
    assert sum(uid.startswith("1.2.826.0.1.999.2.5.") for uid in cited) == 9
    assert "Restaging DWI: 'ep2d_diff_b50_400_800', b 50, 400, 800 s/mm², 9 objects" in texts(report)


@pytest.mark.peers
@pytest.mark.parametrize("which", NAMES)
def test_a_name_in_any_writing_comes_through_whole(
    pair: Pair, identity: ResultIdentity, tmp_path: Path, which: str
) -> None:
    character_set, written = NAMES[which]

    def edit(ds: Dataset, index: int) -> None:
        ds.SpecificCharacterSet = character_set
        ds.PatientName = written

    made = objects(pair(edit, replace(PATIENT, name=written)), identity)
    for dataset in made.values():
        assert str(dataset.PatientName) == written
    path = tmp_path / "report.dcm"
    write_part10(made[Kind.REPORT], path)
    said = output_of("dsrdump", "dcmtk", Path("+U8"), path)
    assert f"Patient             : {written.split('=')[0]} " in said or written in said
    assert "RESEARCH USE ONLY" in said
    assert not [line for line in said.splitlines() if line.startswith(("E:", "F:"))]


def test_an_empty_name_stays_empty(pair: Pair, identity: ResultIdentity) -> None:
    def edit(ds: Dataset, index: int) -> None:
        ds.PatientName = ""

    made = objects(pair(edit, replace(PATIENT, name="")), identity)
    assert all(str(dataset.PatientName) == "" for dataset in made.values())
    assert report_text(made[Kind.REPORT])


def test_texts_at_their_limit_are_kept_whole(pair: Pair, identity: ResultIdentity) -> None:
    """LO has 64 characters, a component of PN 64 (PS3.5 table 6.2-1)."""
    patient_id, person = "P" * 64, f"{'L' * 40}^{'F' * 23}"

    def edit(ds: Dataset, index: int) -> None:
        ds.PatientID, ds.PatientName = patient_id, person
        ds.StudyDescription, ds.IssuerOfPatientID = "S" * 64, "I" * 64

    made = objects(pair(edit, replace(PATIENT, patient_id=patient_id, name=person, issuer="I" * 64)), identity)
    for dataset in made.values():
        assert (str(dataset.PatientID), str(dataset.PatientName)) == (patient_id, person)
        assert (dataset.StudyDescription, dataset.IssuerOfPatientID) == ("S" * 64, "I" * 64)
        assert len(dataset.SeriesDescription) <= 64
    assert max(len(line) for line in report_text(made[Kind.REPORT]).splitlines()) <= 100


def test_a_series_description_over_its_limit_does_not_break_the_report(pair: Pair, identity: ResultIdentity) -> None:
    """Scanners and routers write what they like; in a TEXT item (UT) it has room."""
    long = "t2_tse_tra_obl " * 20
    findings = pair(nothing)
    exams = [_described(exam, long.strip()) for exam in findings.case.exams]
    made = objects(replace(findings, case=Case(exams[0], exams[1])), identity)
    assert f"'{long.strip()}'" in texts(made[Kind.REPORT])
    for dataset in made.values():
        for element in dataset.iterall():
            if element.VR in ("LO", "SH") and isinstance(element.value, str):
                assert len(element.value) <= (64 if element.VR == "LO" else 16), element


def test_a_station_name_over_its_limit_is_cut_in_the_header_and_whole_in_the_tree(
    pair: Pair, identity: ResultIdentity
) -> None:
    report = objects(pair(nothing), replace(identity, station="RESTAGE_OF_THE_NORTHERN_CAMPUS"))[Kind.REPORT]
    assert report.StationName == "RESTAGE_OF_THE_N"
    device = next(item for item in items(report) if name(item) == "Device Observer Name")
    assert device.TextValue == "RESTAGE_OF_THE_NORTHERN_CAMPUS"


def _described(exam: Exam, description: str) -> Exam:
    chosen = {
        role: replace(series, role=replace(series.role, description=description))
        for role, series in exam.files.chosen.items()
    }
    return replace(exam, files=replace(exam.files, chosen=chosen))
