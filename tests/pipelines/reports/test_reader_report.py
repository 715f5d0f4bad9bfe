"""Reports as readers' workstations write them, one at a time: pipelines.reports.reader_report and what it stands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as Concept
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    generate_uid,
)

from pipelines.contract import ClinicalVariable, Code, InputUnfit, TimePoint, Variable
from pipelines.reports.reader_report import ReaderReport, read_reader_report
from tests.pipelines.made_reports import (
    ABSENT,
    CM,
    CN_CATEGORY,
    CRM,
    CRM_DISTANCE,
    CT_CATEGORY,
    EMVI,
    PRESENT,
    RECTUM,
    answer,
    group,
    number,
    ours,
    report,
    saved,
)
from tests.pipelines.made_series import T2, Grid, Maker

WALL = ours(Variable.WALL_THICKNESS)
LONG_AXIS = Concept("103339001", "SCT", "Long axis")
NODE = Concept("59441001", "SCT", "Lymph Node")
CT3 = Concept("1228938002", "SCT", "American Joint Committee on Cancer cT3")


@dataclass(frozen=True)
class Study:
    """A restaging study with a T2 series, for reports to be filed in."""

    maker: Maker
    sources: list[Dataset]

    def read(self, *groups: Any, **attributes: Any) -> ReaderReport | None:
        return self.read_back(report(self.sources, *groups, **attributes))

    def read_back(self, sr: Dataset) -> ReaderReport | None:
        return read_reader_report(saved(sr, self.maker.folder), [self.maker.study_uid], TimePoint.RESTAGING)

    def values(self, *groups: Any, **attributes: Any) -> dict[Variable, float | str | None]:
        return said(self.read(*groups, **attributes))


def said(found: ReaderReport | None) -> dict[Variable, float | str | None]:
    if found is None:
        return {}
    assert found.unfit == ()
    return {one.variable.variable: one.variable.category or one.variable.millimetres for one in found.values}


def one(found: ReaderReport | None) -> ClinicalVariable:
    assert found is not None
    (reported,) = found.values
    return reported.variable


@pytest.fixture
def study(tmp_path: Path) -> Study:
    maker = Maker(tmp_path)
    sources = maker.slices(np.ones((3, 12, 12)), Grid(), T2)
    maker.write(sources)
    return Study(maker, sources)


def test_a_structured_report_gives_its_variables_in_millimetres_and_categories(study: Study) -> None:
    found = study.values(
        group(
            number(WALL, 1.2, CM),
            number(CRM_DISTANCE, 3.5),
            number(Concept("RDE103", "RADELEMENT", "Craniocaudal length"), 4.8, CM),
            number(codes.DCM.DistanceFromAnus, 62),
            answer(EMVI, PRESENT),
            answer(CRM, Concept("RDE120.0", "RADELEMENT", "clear, tumor margin more than 2mm")),
            answer(CT_CATEGORY, CT3),
            answer(CN_CATEGORY, Concept("1229976000", "SCT", "American Joint Committee on Cancer cN1b")),
        )
    )
    assert found == {
        Variable.WALL_THICKNESS: 12.0,
        Variable.CRM_DISTANCE: 3.5,
        Variable.TUMOUR_LENGTH: 48.0,
        Variable.ANAL_VERGE_DISTANCE: 62.0,
        Variable.EMVI: "positive",
        Variable.MRF_INVOLVEMENT: "negative",
        Variable.T_STAGE: "T3",
        Variable.N_STAGE: "N1b",
    }


def test_who_reported_when_and_how_it_was_coded_is_the_origin(study: Study) -> None:
    variable = one(study.read(group(answer(EMVI, ABSENT)), verified_by="Chief^Bob"))
    assert variable.origin == (
        "Reader^Anna in 'Rectal MRI' of 2024-04-12, verified by Chief^Bob; "
        "coded 'Extramural venous invasion (EMVI)' (RDE110, RADELEMENT)"
    )
    assert variable.source_sop_uid


def test_a_private_concept_is_read_by_its_name_and_says_so(study: Study) -> None:
    variable = one(study.read(group(answer(Concept("X1", "99HOSP", "mrEMVI"), "Positive"))))
    assert (variable.variable, variable.category) == (Variable.EMVI, "positive")
    assert "read by name from 'mrEMVI' (X1, 99HOSP)" in variable.origin


def test_snomed_rt_codes_of_older_tools_are_the_snomed_ct_ones(study: Study) -> None:
    old = Concept("G-A185", "SRT", "Long Axis")
    assert study.values(group(number(old, 51))) == {Variable.TUMOUR_LENGTH: 51.0}


@pytest.mark.parametrize(
    ("attributes", "word"),
    [({"CompletionFlag": "PARTIAL"}, "a partial report"), ({"PreliminaryFlag": "PRELIMINARY"}, "a preliminary report")],
)
def test_a_partial_or_preliminary_report_is_used_and_says_so(
    study: Study, attributes: dict[str, Any], word: str
) -> None:
    found = study.read(group(number(WALL, 9)), **attributes)
    assert found is not None
    assert found.standing == 0
    assert word in one(found).origin


@pytest.mark.parametrize("sop_class", [Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage])
def test_every_class_of_report_is_read_in_groups_or_as_a_flat_tree(study: Study, sop_class: str) -> None:
    sr = report(study.sources, group(number(WALL, 9), answer(EMVI, ABSENT)))
    expected = {Variable.WALL_THICKNESS: 9.0, Variable.EMVI: "negative"}
    sr.SOPClassUID = sr.file_meta.MediaStorageSOPClassUID = sop_class
    assert said(study.read_back(sr)) == expected
    flat = [item for item in leaves(sr) if item.ValueType in {"NUM", "CODE", "PNAME"}]
    sr.ContentSequence, sr.SOPInstanceUID = flat, generate_uid()
    assert said(study.read_back(sr)) == expected


def test_prose_gives_nothing_and_nothing_is_said_of_it(study: Study) -> None:
    sr = report(study.sources, group(number(WALL, 9)))
    sr.SOPClassUID = sr.file_meta.MediaStorageSOPClassUID = BasicTextSRStorage
    words = Dataset()
    words.RelationshipType, words.ValueType, words.TextValue = "CONTAINS", "TEXT", "EMVI positive, mrT3b"
    sr.ContentSequence = [words]
    assert study.read_back(sr) is None


def test_our_own_report_another_study_and_other_objects_are_none(study: Study) -> None:
    assert study.read(group(number(WALL, 9)), Manufacturer="Restage") is None
    assert study.read(group(number(WALL, 9)), StudyInstanceUID="1.2.3") is None
    (image,) = study.maker.write(study.sources[:1], "image")
    assert read_reader_report(image, [study.maker.study_uid], TimePoint.RESTAGING) is None


def test_what_a_device_alone_observed_is_no_readers(study: Study) -> None:
    found = study.read(group(number(WALL, 9), answer(EMVI, PRESENT)), device=True)
    assert found is not None
    assert found.values == ()
    assert found.unfit == ("a device alone observed it, so that it is no reader's",)
    assert study.read(group(number(Concept("1", "99AI", "Suspicion"), 9)), device=True) is None
    verified = study.read(group(number(WALL, 9)), device=True, verified_by="Chief^Bob")
    assert "a device" in one(verified).origin
    assert "verified by Chief^Bob" in one(verified).origin


def test_a_report_without_any_observer_is_refused_unless_its_author_is_a_person(study: Study) -> None:
    sr = report(study.sources, group(number(WALL, 9)))
    sr.ContentSequence = [item for item in sr.ContentSequence if item.RelationshipType != "HAS OBS CONTEXT"]
    found = study.read_back(sr)
    assert found is not None
    assert found.unfit == ("it names no person who observed it, so that it is no reader's",)
    author = Dataset()
    author.ObserverType, author.PersonName = "PSN", "Author^Ada"
    sr.AuthorObserverSequence = [author]
    assert one(study.read_back(sr)).origin.startswith("Author^Ada in ")


def test_a_measurement_of_an_algorithm_in_a_readers_report_names_the_algorithm(study: Study) -> None:
    algorithm = hd.sr.AlgorithmIdentification(name="Caliper net", version="2")
    variable = one(study.read(group(number(WALL, 9), algorithm_id=algorithm)))
    assert variable.origin.endswith(", by Caliper net")


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({}, 51.0),
        ({"finding": codes.SCT.NeoplasmPrimary}, 51.0),
        ({"finding": codes.SCT.Neoplasm, "site": RECTUM}, 51.0),
        ({"finding": codes.SCT.Neoplasm}, None),
        ({"finding": NODE}, None),
        ({"finding": codes.SCT.Neoplasm, "site": Concept("41216001", "SCT", "Prostate")}, None),
        ({"finding": None}, None),
    ],
)
def test_a_general_length_counts_only_for_the_tumour_in_the_rectum(
    study: Study, context: dict[str, Any], expected: float | None
) -> None:
    found = study.values(group(number(LONG_AXIS, 51), **context))
    assert found.get(Variable.TUMOUR_LENGTH) == expected


@pytest.mark.parametrize(
    "context",
    [{"site": Concept("41216001", "SCT", "Prostate")}, {"finding": Concept("93974005", "SCT", "Cancer of prostate")}],
)
def test_the_stage_of_another_organ_is_not_this_tumours(study: Study, context: dict[str, Any]) -> None:
    assert study.values(group(answer(CT_CATEGORY, CT3), **context)) == {}


def test_the_margin_of_a_lymph_node_is_not_the_tumours(study: Study) -> None:
    assert study.values(group(number(CRM_DISTANCE, 1), finding=NODE)) == {}
    n_stage = group(answer(CN_CATEGORY, "N1"), finding=NODE)
    assert study.values(n_stage) == {Variable.N_STAGE: "N1"}


def test_a_group_of_the_other_time_point_is_left_out(study: Study) -> None:
    before = hd.sr.TimePointContext("TP1", time_point_type=codes.cid6146.Baseline)
    named = hd.sr.TimePointContext("baseline")
    after = hd.sr.TimePointContext("TP2", time_point_type=codes.cid6146.Posttreatment)
    groups = [group(number(WALL, mm), time_point_context=at) for mm, at in ((16, before), (15, named), (9, after))]
    assert study.values(*groups) == {Variable.WALL_THICKNESS: 9.0}


def test_a_group_on_images_of_another_study_is_left_out(study: Study, tmp_path: Path) -> None:
    other = Maker(tmp_path / "other")
    earlier = other.slices(np.ones((3, 12, 12)), Grid(), T2)
    other.write(earlier)
    groups = [
        group(number(WALL, mm), source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(image)])
        for mm, image in ((16, earlier[0]), (9, study.sources[0]))
    ]
    assert study.values(*groups, other_evidence=earlier) == {Variable.WALL_THICKNESS: 9.0}


def test_a_mean_wall_thickness_is_not_the_largest_one(study: Study) -> None:
    mean, largest = codes.SCT.Mean, codes.SCT.Maximum
    groups = [group(number(WALL, mm, derivation=how)) for mm, how in ((7, mean), (9, largest))]
    assert study.values(*groups) == {Variable.WALL_THICKNESS: 9.0}


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (number(WALL, -3), "-3 mm cannot be"),
        (number(WALL, 3, codes.UCUM.NoUnits), "no length in UCUM"),
        (number(WALL, 3, Concept("cm", "99X", "cm")), "'cm' of 99X"),
        (number(WALL, 90, CM), "90 cm cannot be"),
        (answer(CT_CATEGORY, "T9"), "'T9' is none of T0, T1"),
        (answer(CT_CATEGORY, "pT3"), "'pT3' is none of"),
        (answer(EMVI, "equivocal"), "'equivocal' is none of negative, positive"),
        (answer(CRM, Concept("RDE120.1", "RADELEMENT", "threatened, tumor within 2 mm")), "is none of"),
        (answer(EMVI, Concept("52101004", "SCT", "Absent")), "says positive, its words negative"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name_and_place(study: Study, what: Any, reason: str) -> None:
    found = study.read(group(what))
    assert found is not None
    assert found.values == ()
    (unfit,) = found.unfit
    assert reason in unfit
    assert " at 1." in unfit


def test_a_number_that_is_missing_or_broken_is_refused(study: Study) -> None:
    sr = report(study.sources, group(number(WALL, 9)))
    (item,) = [item for item in leaves(sr) if item.ValueType == "NUM"]
    item.MeasuredValueSequence[0].NumericValue = None
    found = study.read_back(sr)
    assert found is not None
    assert "not a number" in found.unfit[0]
    item.MeasuredValueSequence = []
    found = study.read_back(sr)
    assert found is not None
    assert "it has no value" in found.unfit[0]


def test_a_file_that_cannot_be_read_is_refused(study: Study) -> None:
    path = study.maker.folder / "broken"
    path.write_bytes(b"nothing")
    with pytest.raises(InputUnfit) as refused:
        read_reader_report(path, [study.maker.study_uid], TimePoint.RESTAGING)
    assert refused.value.code is Code.READER_REPORT_UNFIT


def test_a_damaged_report_is_read_or_refused_and_never_breaks(study: Study) -> None:
    said_twice = group(number(WALL, 9), answer(EMVI, PRESENT)), group(number(CRM_DISTANCE, 2))
    whole = saved(report(study.sources, *said_twice, verified_by="Chief^Bob"), study.maker.folder).read_bytes()
    random = np.random.default_rng(5)
    path = study.maker.folder / "damaged.dcm"
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for place in random.integers(400, len(whole), 6):
            damaged[place] = random.integers(0, 256)
        path.write_bytes(damaged[: random.integers(len(whole) // 2, len(whole) + 1)])
        try:
            read_reader_report(path, [study.maker.study_uid], TimePoint.RESTAGING)
        except InputUnfit:
            refused += 1
    assert refused > 0


REAL = (
    "dcmqi_prostate_adc_seg_sr/files/data/sr-example/sr.dcm",
    "pydicom_test_files/files/src/pydicom/data/test_files/test-SR.dcm",
    "pydicom_test_files/files/src/pydicom/data/test_files/reportsi.dcm",
)


@pytest.mark.parametrize("name", REAL)
def test_real_reports_of_others_are_read_and_say_nothing_of_a_rectum(shared_data: Path, name: str) -> None:
    study_uid = pydicom.dcmread(shared_data / name).StudyInstanceUID
    assert read_reader_report(shared_data / name, [study_uid], TimePoint.BASELINE) is None


def test_a_real_report_of_a_reader_with_a_variable_added_is_read(shared_data: Path, tmp_path: Path) -> None:
    sr = pydicom.dcmread(shared_data / REAL[0])
    measured = next(item for item in leaves(sr) if item.ValueType == "NUM" and "MeasuredValueSequence" in item)
    measured.ConceptNameCodeSequence[0].CodeValue = "RDE111"
    measured.ConceptNameCodeSequence[0].CodingSchemeDesignator = "RADELEMENT"
    measured.MeasuredValueSequence[0].NumericValue = "4"
    measured.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue = "mm"
    sr.ContentSequence.append(measured)
    found = read_reader_report(saved(sr, tmp_path), [sr.StudyInstanceUID], TimePoint.BASELINE)
    assert found is not None
    assert {one.said.millimetres for one in found.values} == {4.0}
    assert found.values[0].variable.origin.startswith("User2 in ")
    assert "a partial report" in found.values[0].variable.origin


def leaves(parent: Dataset) -> list[Dataset]:
    """Every content item below one."""
    found = []
    for child in parent.get("ContentSequence") or ():
        found += [child, *leaves(child)]
    return found
