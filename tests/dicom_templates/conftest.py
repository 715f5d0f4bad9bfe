"""Exams and findings made by hand: a tiny synthetic oblique T2 series, and the real pelvic pair where it is there."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Kind, Result
from dicom_templates.results import build_results
from pipelines.contract import (
    GOOD_RESPONSE,
    AdcMap,
    Case,
    Code,
    Envelope,
    Exam,
    ExamFiles,
    Findings,
    Likelihood,
    Mask,
    MaskOrigin,
    Measurement,
    ModelIdentity,
    Patient,
    Quantity,
    Role,
    Score,
    SeriesFiles,
    SeriesRole,
    Statement,
    TimePoint,
    Volume,
)
from tests.dicom_templates.four_systems import with_disagreement, with_four_systems

SLICES, ROWS, COLUMNS = 9, 80, 96
SPACING = (3.6, 0.8, 0.7)  # slice, row, column; mm
TILT = np.deg2rad(20.0)
PATIENT = Patient("RM-0042", "HOSPITAL-A", "Muster^Erika", "19580312", "F")
DATES = {TimePoint.BASELINE: date(2024, 3, 4), TimePoint.RESTAGING: date(2024, 6, 10)}
STUDIES = {TimePoint.BASELINE: "1.2.826.0.1.999.1", TimePoint.RESTAGING: "1.2.826.0.1.999.2"}


def oblique_affine() -> np.ndarray:
    """Index (slice, row, column) to LPS mm of an axial stack tilted about the left-right axis."""
    affine = np.eye(4)
    affine[:3, 2] = np.array([1.0, 0.0, 0.0]) * SPACING[2]
    affine[:3, 1] = np.array([0.0, np.cos(TILT), np.sin(TILT)]) * SPACING[1]
    affine[:3, 0] = np.array([0.0, -np.sin(TILT), np.cos(TILT)]) * SPACING[0]
    affine[:3, 3] = [-33.0, -40.0, -60.0]
    return affine


def pelvis(radius_mm: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A made-up T2 contrast with a tumour ball, and the ball."""
    z, y, x = np.meshgrid(
        (np.arange(SLICES) - SLICES // 2) * SPACING[0],
        (np.arange(ROWS) - ROWS / 2) * SPACING[1],
        (np.arange(COLUMNS) - COLUMNS / 2) * SPACING[2],
        indexing="ij",
    )
    tumour = x**2 + (y - 6) ** 2 + z**2 < radius_mm**2
    body = (x / 31) ** 2 + (y / 29) ** 2 < 1
    fat = (x / 31) ** 2 + (y / 29) ** 2 > 0.7
    image = 120.0 * body + 260.0 * (body & fat) + 130.0 * tumour
    image += 12 * np.random.default_rng(seed).standard_normal(image.shape)
    return np.clip(image, 0, 4000).astype(np.float32), tumour


def t2_slice(array: np.ndarray, index: int, time_point: TimePoint, patient: Patient) -> Dataset:
    affine = oblique_affine()
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = MRImageStorage
    ds.SOPInstanceUID = f"{STUDIES[time_point]}.4.{index + 1}"
    ds.StudyInstanceUID = STUDIES[time_point]
    ds.SeriesInstanceUID = f"{STUDIES[time_point]}.4"
    ds.FrameOfReferenceUID = f"{STUDIES[time_point]}.99"
    ds.PositionReferenceIndicator = ""
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = patient.name, patient.patient_id, patient.issuer
    ds.PatientBirthDate, ds.PatientSex = patient.birth_date, patient.sex
    ds.StudyDate, ds.StudyTime = DATES[time_point].strftime("%Y%m%d"), "101500"
    ds.StudyDescription, ds.StudyID = "MR Becken", "7"
    ds.AccessionNumber, ds.ReferringPhysicianName = f"ACC{time_point}"[:16], "Arzt^Anna"
    ds.Modality, ds.Manufacturer, ds.SeriesNumber, ds.InstanceNumber = "MR", "Test", 4, index + 1
    ds.SeriesDescription = "t2_tse_tra_obl"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    ds.Rows, ds.Columns = array.shape
    ds.PixelSpacing = [SPACING[1], SPACING[2]]
    ds.SliceThickness = 3.0
    cosines = [*(affine[:3, 2] / SPACING[2]), *(affine[:3, 1] / SPACING[1])]
    ds.ImageOrientationPatient = [f"{value:.9f}" for value in cosines]
    ds.ImagePositionPatient = [f"{value:.6f}" for value in affine[:3, 3] + index * affine[:3, 0]]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = array.astype("<u2").tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    return ds


def chosen_series(role: Role, header: Dataset, paths: tuple[Path, ...], b_values: tuple[float, ...]) -> SeriesFiles:
    series = SeriesRole(
        str(header.SeriesInstanceUID),
        str(header.StudyInstanceUID),
        str(header.get("SeriesDescription", "")),
        "MR",
        role,
        b_values,
        0.95,
        "spin echo, TE 104 ms, TR 5660 ms, axial, the finest of two",
    )
    return SeriesFiles(series, paths)


def reader_mask(array: np.ndarray) -> Mask:
    return Mask(array, MaskOrigin.READER, "SEG 'GTV' of 2024-06-11, on the T2 grid already.", reader="Dr. Leser")


def phantom_model(**changes: Any) -> ModelIdentity:
    model = ModelIdentity(
        system="signature_svm",
        name="signature_svm_t2_dwi",
        version="1.0",
        weights_digest="5f2c" * 16,
        cohort="phantom cohort of 120, seed 7",
        cohort_digest="90ab" * 16,
        phantom_trained=True,
        intended_use="Shows that the chain works.",
        limits="Not for clinical use: trained on synthetic images; adenocarcinoma after chemotherapy only.",
    )
    return replace(model, **changes)


def score(**changes: Any) -> Score:
    made = Score(
        model=phantom_model(),
        outcome=GOOD_RESPONSE,
        probability=0.734,
        lower=0.612,
        upper=0.829,
        interval="95 % of 200 bootstrap resamples of the training cohort",
        category=Likelihood.HIGH,
        envelope=Envelope(True),
        inputs=(("post_DWI", 0.71), ("pre_T2", 0.33)),
    )
    return replace(made, **changes)


def measured(time_point: TimePoint, volume: float, diameter: float, adc: float) -> tuple[Measurement, ...]:
    return (
        Measurement(Quantity.VOLUME, time_point, volume, "cm3", MaskOrigin.READER, "voxel count"),
        Measurement(Quantity.LONGEST_DIAMETER, time_point, diameter, "mm", MaskOrigin.READER, "largest distance"),
        Measurement(
            Quantity.ADC_MEAN, time_point, adc, "10-6.mm2/s", MaskOrigin.READER, "mean, b 50, 400, 800, log-linear fit"
        ),
    )


@pytest.fixture(scope="session")
def identity() -> ResultIdentity:
    return ResultIdentity(
        pair_key="RM-0042|1.2.826.0.1.999.1|1.2.826.0.1.999.2",
        version=1,
        created=datetime(2024, 6, 12, 9, 30, tzinfo=UTC),
        device_uid="2.25.314159265358979",
        station="RESTAGE",
        software_version="0.1.0",
    )


MakeExam = Callable[..., Exam]


@pytest.fixture(scope="session")
def make_exam(tmp_path_factory: pytest.TempPathFactory) -> MakeExam:
    """A synthetic exam on disk; ``edit`` changes each slice's dataset before it is written."""

    def make(
        time_point: TimePoint,
        radius_mm: float = 12.0,
        patient: Patient = PATIENT,
        edit: Callable[[Dataset, int], None] | None = None,
    ) -> Exam:
        folder = tmp_path_factory.mktemp("exam")
        image, tumour = pelvis(radius_mm, seed=len(time_point))
        paths = []
        for index in range(SLICES):
            ds = t2_slice(image[index], index, time_point, patient)
            if edit is not None:
                edit(ds, index)
            paths.append(folder / f"{index}.dcm")
            ds.save_as(paths[-1], enforce_file_format=True)
        files = ExamFiles(
            time_point,
            (STUDIES[time_point],),
            DATES[time_point],
            patient,
            {Role.T2_AXIAL: chosen_series(Role.T2_AXIAL, ds, tuple(paths), ())},
            choices=("axial T2: the series with the smaller field of view",),
        )
        t2 = Volume(image, oblique_affine(), f"{STUDIES[time_point]}.99")
        adc = AdcMap(
            Volume(np.where(tumour, 1.0, 1.9).astype(np.float32), oblique_affine()),
            np.ones(tumour.shape, dtype=bool),
            (50.0, 400.0, 800.0),
            "log-linear fit",
        )
        return Exam(files, t2, tuple(paths), {}, adc, None, reader_mask(tumour), (("n4", "shrink 4"),))

    return make


MakeFindings = Callable[..., Findings]


@pytest.fixture(scope="session")
def make_findings(make_exam: MakeExam) -> MakeFindings:
    """The stories that the tests tell, each written to disk once."""

    @cache
    def make(story: str = "good response") -> Findings:
        baseline = make_exam(TimePoint.BASELINE, 14.0)
        restaging = make_exam(TimePoint.RESTAGING, 9.0)
        return tell(story, baseline, restaging)

    return make


def tell(story: str, baseline: Exam, restaging: Exam) -> Findings:
    numbers = measured(TimePoint.BASELINE, 11.4567, 41.23, 1010.4) + measured(
        TimePoint.RESTAGING, 3.0512, 24.78, 1390.06
    )
    pair = Findings(Case(baseline, restaging), numbers, (score(),), parameters=(("grid", "0.8 mm"),))
    refusal = Statement(Code.NO_DIFFUSION, "signature_svm", "the baseline has no DWI: send the b 800 series.")
    withheld = Statement(
        Code.SCORES_WITHHELD, "signature_svm", "phantom-trained; [results] phantom_scores is false on this node."
    )
    reasons = (
        "the baseline volume of 62 cm³ is above the cohort's 95th percentile",
        "field strength 1.5 T, cohort 3 T",
    )
    outside = Statement(Code.OUT_OF_ENVELOPE, "signature_svm", "; ".join(reasons))
    stories = {
        "good response": pair,
        "refused": replace(
            pair,
            case=Case(replace(baseline, mask=None), replace(restaging, mask=None)),
            measurements=(),
            scores=(),
            refusals=(refusal, Statement(Code.NO_MASK, "both exams", "no reader's mask, and no model drew one.")),
        ),
        "withheld": replace(pair, scores=(), refusals=(withheld,)),
        "out of envelope": replace(
            pair,
            scores=(score(category=Likelihood.UNCERTAIN, envelope=Envelope(False, reasons)),),
            warnings=(outside,),
        ),
        "four systems": with_four_systems(pair, phantom_model()),
        "disagreement": with_disagreement(pair, phantom_model()),
        "single exam": Findings(
            Case(None, restaging),
            numbers[3:],
            refusals=(Statement(Code.NO_BASELINE, "signature_svm", "no baseline exam was found or sent."),),
        ),
    }
    return stories[story]


@pytest.fixture(scope="session")
def objects_of(make_findings: MakeFindings, identity: ResultIdentity) -> Callable[[str], dict[Kind, Dataset]]:
    """The checked objects of a story by kind, built once; each caller gets copies that it may spoil."""

    @cache
    def build(story: str) -> tuple[Result, ...]:
        return build_results(make_findings(story), identity)

    return lambda story: {result.kind: deepcopy(result.dataset) for result in build(story)}


STORIES = ("good response", "refused", "withheld", "out of envelope", "single exam", "four systems", "disagreement")

_PROSTATEX = "prostatex_0000_0001/files/tests/input/dcm/ProstateX"


@pytest.fixture
def real_findings(shared_data: Path, tmp_path: Path) -> Findings:
    """The two real pelvic studies as baseline and restaging of one patient, with made-up masks."""
    folders = {
        TimePoint.BASELINE: shared_data / _PROSTATEX / "ProstateX-0000/07-07-2011/4.000000-t2tsetra-00702",
        TimePoint.RESTAGING: shared_data / _PROSTATEX / "ProstateX-0001/07-08-2011/6.000000-t2tsetra-76610",
    }
    exams = [real_exam(folder, time_point, tmp_path / time_point) for time_point, folder in folders.items()]
    return tell("out of envelope", exams[0], exams[1])


def real_exam(folder: Path, time_point: TimePoint, copies: Path) -> Exam:
    copies.mkdir()
    slices = sorted((dcmread(path) for path in folder.glob("*.dcm")), key=lambda ds: float(ds.ImagePositionPatient[2]))
    paths = []
    for index, ds in enumerate(slices):
        ds.PatientID, ds.PatientName, ds.IssuerOfPatientID = PATIENT.patient_id, PATIENT.name, PATIENT.issuer
        ds.PatientBirthDate, ds.PatientSex = PATIENT.birth_date, PATIENT.sex
        ds.StudyDate = DATES[time_point].strftime("%Y%m%d")
        paths.append(copies / f"{index}.dcm")
        ds.save_as(paths[-1])
    array = np.stack([ds.pixel_array for ds in slices]).astype(np.float32)
    first, second = (np.array(ds.ImagePositionPatient, dtype=float) for ds in slices[:2])
    cosines = np.array(slices[0].ImageOrientationPatient, dtype=float)
    spacing = [float(value) for value in slices[0].PixelSpacing]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = second - first, cosines[3:] * spacing[0]
    affine[:3, 2], affine[:3, 3] = cosines[:3] * spacing[1], first
    z, y, x = np.ogrid[: array.shape[0], : array.shape[1], : array.shape[2]]
    radius = 40 if time_point is TimePoint.BASELINE else 26
    mask = ((y - 215) ** 2 + (x - 190) ** 2 + ((z - 9) * 6) ** 2) < radius**2
    files = ExamFiles(
        time_point,
        (str(slices[0].StudyInstanceUID),),
        DATES[time_point],
        PATIENT,
        {Role.T2_AXIAL: chosen_series(Role.T2_AXIAL, slices[0], tuple(paths), ())},
    )
    return Exam(files, Volume(array, affine), tuple(paths), {}, None, None, reader_mask(mask))


@pytest.fixture
def make_score() -> Callable[..., Score]:
    return score


@pytest.fixture
def model() -> ModelIdentity:
    return phantom_model()
