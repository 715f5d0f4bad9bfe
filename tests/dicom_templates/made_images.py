"""More of an exam: diffusion series on disk with maps on their grid, anatomy around the tumour, an Enhanced MR T2."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian

from pipelines.contract import (
    AdcMap,
    Exam,
    Explanation,
    MapKind,
    MaskOrigin,
    ModelIdentity,
    Role,
    ScalarMap,
    SeriesFiles,
    Structure,
    StructureKind,
    Volume,
)

B_VALUES = (50.0, 400.0, 800.0)
SLICES, ROWS, COLUMNS = 7, 40, 48
SPACING = (4.0, 1.75, 1.5)  # slice, row, column; mm


def diffusion_affine(exam: Exam) -> np.ndarray:
    """A coarser grid than the T2's, parallel to it, with its first voxel elsewhere."""
    affine = exam.t2.affine.copy()
    for column, spacing in enumerate(SPACING):
        affine[:3, column] *= spacing / np.linalg.norm(affine[:3, column])
    affine[:3, 3] += [2.0, 3.0, 4.0]
    return affine


def with_diffusion(exam: Exam, b_values: Sequence[float] = B_VALUES, *, enhanced: bool = False) -> Exam:
    """The exam with a DWI series of several b-values at every position, and ADC, D and K on its grid."""
    affine = diffusion_affine(exam)
    paths = tuple(_written(exam, affine, b, index) for b in b_values for index in range(SLICES))
    if enhanced:
        paths = (enhance(paths, "7"),)
    values = np.random.default_rng(3).uniform(0.4, 2.4, (SLICES, ROWS, COLUMNS)).astype(np.float32)
    valid = values > 0.6
    grid = Volume(np.where(valid, values, 0).astype(np.float32), affine, exam.t2.frame_of_reference_uid)
    role = replace(
        exam.files.chosen[Role.T2_AXIAL].role,
        role=Role.DWI,
        series_uid=str(dcmread(paths[0]).SeriesInstanceUID),
        description="ep2d_diff",
        b_values=tuple(b_values),
    )
    chosen = {**exam.files.chosen, Role.DWI: SeriesFiles(role, paths)}
    return replace(
        exam,
        files=replace(exam.files, chosen=chosen),
        dwi=dict.fromkeys(b_values, grid),
        adc=AdcMap(grid, valid, tuple(b_values), "weighted least squares, b 50/400/800 s/mm²"),
        maps=(
            ScalarMap(MapKind.KURTOSIS_D, grid.like(grid.array * 1.2), valid, "kurtosis fit, b 50/400/800 s/mm²"),
            ScalarMap(MapKind.KURTOSIS_K, grid.like(grid.array * 0.5 - 0.3), valid, "kurtosis fit, b 50/400/800 s/mm²"),
        ),
    )


def with_structures(exam: Exam, model: ModelIdentity) -> Exam:
    """The exam with a rectal wall that overlaps the tumour, and a lumen inside it."""
    assert exam.mask is not None
    wall = np.roll(exam.mask.array, 4, axis=2) | exam.mask.array
    lumen = np.roll(exam.mask.array, 9, axis=2) & ~exam.mask.array
    made = ("by a network", "wall_net", "0.3", model)
    return replace(
        exam,
        structures=(
            Structure(StructureKind.RECTAL_WALL, wall, MaskOrigin.MODEL, *made),
            Structure(StructureKind.LUMEN, lumen, MaskOrigin.MODEL, *made),
        ),
    )


def explanation(exam: Exam, model: ModelIdentity, sequence: str = "t2") -> Explanation:
    """A Grad-CAM on a field of its own around the tumour, which lies on no source grid."""
    affine = exam.t2.affine.copy()
    affine[:3, 1:3] *= 1.31
    affine[:3, 3] += [5.0, 6.0, 0.0]
    values = np.random.default_rng(5).uniform(0.0, 1.0, (3, 32, 32)).astype(np.float32)
    values[0, :4] = 0.0
    valid = np.ones(values.shape, dtype=bool)
    valid[:, :, -3:] = False
    how = "Grad-CAM of the last convolution, weighted gradients of the score"
    saliency = ScalarMap(MapKind.GRAD_CAM, Volume(values, affine), valid, how, model)
    return Explanation(exam.files.time_point, sequence, saliency, 0.62)


def enhance(paths: Sequence[Path], series: str = "4", *, own_groups: bool = False) -> Path:
    """Classic images as one Enhanced MR object whose frames run backwards.

    ``own_groups``: orientation and spacing stand in each frame's groups, as some scanners write them.
    """
    slices = [dcmread(path) for path in paths][::-1]
    first = slices[0]
    ds = Dataset()
    for keyword in ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "Modality"):
        ds[keyword] = deepcopy(first[keyword])
    for keyword in ("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "SeriesInstanceUID"):
        ds[keyword] = deepcopy(first[keyword])
    for keyword in ("FrameOfReferenceUID", "Rows", "Columns", "ReferringPhysicianName", "SeriesDescription"):
        ds[keyword] = deepcopy(first[keyword])
    for keyword in ("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"):
        ds[keyword] = deepcopy(first[keyword])
    ds.PixelRepresentation = first.PixelRepresentation
    ds.SOPClassUID, ds.SOPInstanceUID = EnhancedMRImageStorage, f"{first.StudyInstanceUID}.{series}.100"
    ds.NumberOfFrames = len(slices)
    shared = Dataset()
    ds.PerFrameFunctionalGroupsSequence = [_groups(one, own_groups) for one in slices]
    if not own_groups:
        shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = _measures(first), _orientation(first)
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PixelData = b"".join(one.PixelData for one in slices)
    path = paths[0].parent / f"enhanced-{series}-{own_groups}.dcm"
    return _save(ds, path)


def _groups(one: Dataset, own_groups: bool) -> Dataset:
    frame, position = Dataset(), Dataset()
    position.ImagePositionPatient = one.ImagePositionPatient
    frame.PlanePositionSequence = [position]
    if own_groups:
        frame.PixelMeasuresSequence, frame.PlaneOrientationSequence = _measures(one), _orientation(one)
    return frame


def _measures(one: Dataset) -> list[Dataset]:
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = one.PixelSpacing, one.SliceThickness
    return [measures]


def _orientation(one: Dataset) -> list[Dataset]:
    orientation = Dataset()
    orientation.ImageOrientationPatient = one.ImageOrientationPatient
    return [orientation]


def _written(exam: Exam, affine: np.ndarray, b: float, index: int) -> Path:
    """One diffusion image, with everything but its grid from the T2."""
    ds = dcmread(exam.t2_paths[0])
    ds.SOPInstanceUID = f"{ds.StudyInstanceUID}.7.{int(b)}.{index + 1}"
    ds.SeriesInstanceUID, ds.SeriesNumber = f"{ds.StudyInstanceUID}.7", 7
    ds.SeriesDescription, ds.DiffusionBValue = "ep2d_diff", b
    ds.InstanceNumber = int(b) + index
    ds.Rows, ds.Columns, ds.PixelSpacing = ROWS, COLUMNS, list(SPACING[1:])
    ds.ImagePositionPatient = [f"{value:.6f}" for value in affine[:3, 3] + index * affine[:3, 0]]
    ds.PixelData = np.full((ROWS, COLUMNS), 100 + index, dtype="<u2").tobytes()
    return _save(ds, exam.t2_paths[0].parent / f"dwi-{b:g}-{index}.dcm")


def _save(ds: Dataset, path: Path) -> Path:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)
    return path
