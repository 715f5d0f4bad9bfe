"""The mask a reader drew, on the grid of the exam's axial T2: found, chosen, placed, and every step stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydicom import Dataset

from pipelines.contract import Alignment, Code, ExamFiles, InputUnfit, Mask, MaskArray, MaskOrigin, Statement, Volume
from pipelines.headers.attributes import MALFORMED, number, text, value
from pipelines.masks.annotations import DEFAULT_ROI_PATTERN, Annotation, read_annotation
from pipelines.masks.contours import Points, fill_on_slices, own_grid
from pipelines.masks.segment_frames import segment_mask
from pipelines.volumes.resample import coverage, index_map, mask_onto

SAME_GRID = 0.02  # of a voxel, at every voxel of the mask
STATED_CUT = 0.01  # of the volume lost outside the T2, from which on it is said


@dataclass(frozen=True)
class Placed:
    """A mask on the T2 grid. ``resampled``: it was drawn on another grid; ``lost``: share outside of the T2;
    ``moved``: it was drawn on the diffusion images, and moved with them."""

    array: MaskArray
    resampled: bool
    lost: float = 0.0
    moved: bool = False


def find_reader_mask(
    exam: ExamFiles,
    t2: Volume,
    roi_pattern: str = DEFAULT_ROI_PATTERN,
    diffusion: tuple[Volume, Alignment] | None = None,
) -> tuple[Mask | None, tuple[Statement, ...]]:
    """The newest usable reader's mask among the exam's SEG and RTSTRUCT objects, on the grid of ``t2``.

    Usable: of a study of this exam, not our own, drawn by a person (or with a person: SEMIAUTOMATIC), coded or named
    as the rectal tumour (``roi_pattern``: regular expression, case-blind), in the T2's frame of reference, inside it
    and not empty. A mask drawn on the T2's grid is copied voxel for voxel, any other is resampled by geometry.
    ``diffusion``: a diffusion image as acquired, and where it was aligned to: a mask drawn on it moves with it.

    Statements: READER_MASK_UNFIT for each object that cannot be used, SEVERAL_CANDIDATES for the choice,
    MASK_RESAMPLED.
    """
    subject = f"{exam.time_point} reader's mask"
    candidates, statements = _candidates(exam, subject, roi_pattern)
    for index, candidate in enumerate(candidates):
        try:
            placed = place(candidate, t2, diffusion)
        except InputUnfit as unfit:
            statements.append(Statement(Code.READER_MASK_UNFIT, subject, f"{candidate.name}: {unfit.reason}"))
            continue
        if len(candidates) > 1:
            statements.append(Statement(Code.SEVERAL_CANDIDATES, subject, _choice(candidates, index)))
        how = _how(candidate, placed)
        if placed.resampled:
            statements.append(Statement(Code.MASK_RESAMPLED, subject, how))
        mask = Mask(
            array=placed.array,
            origin=MaskOrigin.READER,
            how=how,
            reader=candidate.reader,
            source_sop_uid=text(candidate.dataset, "SOPInstanceUID"),
        )
        return mask, tuple(statements)
    return None, tuple(statements)


def _candidates(exam: ExamFiles, subject: str, roi_pattern: str) -> tuple[list[Annotation], list[Statement]]:
    """Newest first; of equal dates the order of the SOP Instance UIDs decides, so that it is the same every time."""
    found, statements = [], []
    for path in sorted(exam.annotations):
        try:
            annotation = read_annotation(path, exam.study_uids, roi_pattern)
        except InputUnfit as unfit:
            statements.append(Statement(unfit.code, subject, unfit.reason))
            continue
        if annotation is not None:
            found.append(annotation)
    found.sort(key=lambda one: (one.drawn, text(one.dataset, "SOPInstanceUID")), reverse=True)
    return found, sorted(statements, key=lambda statement: statement.reason)


def _choice(candidates: Sequence[Annotation], taken: int) -> str:
    others = ", ".join(one.name for index, one in enumerate(candidates) if index != taken)
    return f"{candidates[taken].name} taken as the newest usable of {len(candidates)}; not {others}"


def _how(annotation: Annotation, placed: Placed) -> str:
    done = "resampled to the grid of the axial T2" if placed.resampled else "as drawn on the axial T2"
    done = f"drawn on the diffusion images, moved with them onto the T2, {done}" if placed.moved else done
    cut = f"; {placed.lost:.0%} of it lay outside the T2 and is cut off" if placed.lost >= STATED_CUT else ""
    return f"{annotation.name}, {done}{cut}"


def place(annotation: Annotation, t2: Volume, diffusion: tuple[Volume, Alignment] | None = None) -> Placed:
    """The annotation on the grid of the axial T2: copied where drawn there, else resampled. Raises InputUnfit."""
    if annotation.modality == "SEG":
        array, grid = segment_mask(annotation.dataset, annotation.number)
        _check_reference(grid.frame_of_reference_uid, t2)
        placed = _from_grid(array, grid, t2)
        if placed.resampled and diffusion is not None and diffusion[1].accepted and _on_voxels(grid, diffusion[0]):
            placed = replace(_from_grid(array, diffusion[1].moved(grid), t2), moved=True)
    else:
        placed = _from_contours(annotation, t2, diffusion)
    if not placed.array.any():
        raise InputUnfit(Code.READER_MASK_UNFIT, "it lies outside of the axial T2, or between its voxels")
    return placed


def _on_voxels(grid: Volume, image: Volume) -> bool:
    """Whether the voxels of a grid are voxels of an image: the same axes and steps, whole voxels apart."""
    matrix = index_map(image, grid)
    same_axes = np.abs(matrix[:3, 1:3] - np.eye(3)[:, 1:]).max() < SAME_GRID / max(grid.array.shape)
    return bool(same_axes and np.abs(matrix[:3, 3] - np.round(matrix[:3, 3])).max() < SAME_GRID)


def _check_reference(reference: str, t2: Volume) -> None:
    if reference != t2.frame_of_reference_uid:
        raise InputUnfit(
            Code.READER_MASK_UNFIT, "its frame of reference is not that of the axial T2: it cannot be placed"
        )


def _from_grid(array: MaskArray, grid: Volume, t2: Volume) -> Placed:
    voxels = np.argwhere(array)
    if not len(voxels):
        raise InputUnfit(Code.READER_MASK_UNFIT, "the mask is empty")
    matrix = index_map(t2, grid)
    on_t2 = voxels @ matrix[:3, :3].T + matrix[:3, 3]
    nearest = np.round(on_t2).astype(int)
    same_size = np.abs(matrix[1:3, 1:3] - np.eye(2)).max() < SAME_GRID / max(grid.array.shape)
    same_step = np.ptp(voxels[:, 0]) == 0 or abs(matrix[0, 0] - 1) < SAME_GRID
    if same_size and same_step and np.abs(on_t2 - nearest).max() < SAME_GRID:
        inside = ((nearest >= 0) & (nearest < t2.array.shape)).all(axis=1)
        copied = np.zeros(t2.array.shape, dtype=np.bool_)
        copied[tuple(nearest[inside].T)] = True
        return Placed(copied, resampled=False, lost=1 - float(inside.mean()))
    lost = 1 - float(coverage(t2, grid)[array].mean())
    return Placed(mask_onto(array, grid, t2), resampled=True, lost=lost)


def _from_contours(annotation: Annotation, t2: Volume, diffusion: tuple[Volume, Alignment] | None) -> Placed:
    _check_reference(_roi_reference(annotation), t2)
    contours = _contours(annotation)
    filled = fill_on_slices(contours, t2)
    if filled is not None:
        return Placed(filled, resampled=False)
    if diffusion is not None and diffusion[1].accepted:
        filled = fill_on_slices(contours, diffusion[0])
        if filled is not None and filled.any():
            return replace(_from_grid(filled, diffusion[1].moved(diffusion[0]), t2), moved=True)
    grid = own_grid(contours, slice_step=t2.spacing[0])
    mask = fill_on_slices(contours, grid)
    if mask is None or not mask.any():
        raise InputUnfit(
            Code.READER_MASK_UNFIT, "contours do not lie in planes at regular distances, or enclose nothing"
        )
    return _from_grid(mask, grid, t2)


def _points(contour: Dataset) -> Points:
    """Contour Data, PS3.3 C.8.8.6: (n, 3) LPS mm."""
    try:
        points = np.array([float(one) for one in value(contour, "ContourData") or ()])
    except MALFORMED:
        points = np.array([np.nan])
    if len(points) % 3 or not np.isfinite(points).all():
        raise InputUnfit(Code.READER_MASK_UNFIT, "contour data are not triples of finite coordinates")
    return points.reshape(-1, 3)


def _roi_reference(annotation: Annotation) -> str:
    for roi in value(annotation.dataset, "StructureSetROISequence") or ():
        if number(roi, "ROINumber") == annotation.number:
            return text(roi, "ReferencedFrameOfReferenceUID") or text(annotation.dataset, "FrameOfReferenceUID")
    return ""


def _contours(annotation: Annotation) -> list[Points]:
    """The closed planar contours of the ROI, each (n, 3) LPS mm."""
    contours: list[Points] = []
    for roi in value(annotation.dataset, "ROIContourSequence") or ():
        if number(roi, "ReferencedROINumber") != annotation.number:
            continue
        for contour in value(roi, "ContourSequence") or ():
            if text(contour, "ContourGeometricType").upper() not in {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}:
                raise InputUnfit(Code.READER_MASK_UNFIT, "it holds contours that are not closed and planar")
            points = _points(contour)
            if len(points) >= 3:
                contours.append(points)
    if not contours:
        raise InputUnfit(Code.READER_MASK_UNFIT, "the ROI has no contour")
    return contours
