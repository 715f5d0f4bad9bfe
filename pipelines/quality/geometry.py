"""How thick, how coarse and how oblique the slices are, and what of the tumour the other sequences cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import Code, Exam, MaskArray, Role, Volume
from pipelines.quality import limits
from pipelines.quality.finding import NAMES, Assessment
from pipelines.quality.headers import acquisition
from pipelines.volumes.resample import coverage

SUPERIOR = np.array([0.0, 0.0, 1.0])


def assess_slices(exam: Exam, made: Assessment) -> None:
    """Thickness (the header's, else the distance of slices), gaps and pixel size of the axial T2, in mm."""
    step, rows, columns = exam.t2.spacing
    stated = acquisition(exam.files.chosen, Role.T2_AXIAL).slice_thickness
    thickness = step if stated is None else stated
    made.measured(
        "T2 slice thickness", f"{thickness:.2g} mm" + (", by the distance of slices" if stated is None else "")
    )
    made.measured("T2 slice distance", f"{step:.3g} mm")
    made.judge(
        Code.SLICES_TOO_THICK,
        Role.T2_AXIAL,
        thickness - limits.TOLERANCE,
        limits.SLICE_THICKNESS,
        f"T2 slices of {thickness:.3g} mm; the consensus asks for 3 mm, at most {limits.SLICE_THICKNESS.warning:g} mm: "
        "volumes and edges are blurred along the rectum",
    )
    gap = step - thickness
    made.judge(
        Code.SLICES_TOO_THICK,
        Role.T2_AXIAL,
        (gap - limits.TOLERANCE) / thickness,
        limits.SLICE_GAP,
        f"T2 slices of {thickness:.3g} mm lie {step:.3g} mm apart: {gap:.3g} mm between them were not imaged",
    )
    made.judge(
        Code.SLICES_TOO_THICK,
        Role.T2_AXIAL,
        max(rows, columns) - limits.TOLERANCE,
        limits.PIXEL,
        f"T2 pixels of {rows:.3g} × {columns:.3g} mm are coarser than {limits.PIXEL.warning:g} mm",
    )


def normal(volume: Volume) -> NDArray[np.float64]:
    """Unit normal of the slices' plane, LPS; its sign is arbitrary."""
    across = np.cross(volume.affine[:3, 1], volume.affine[:3, 2])
    return np.asarray(across / np.linalg.norm(across), dtype=np.float64)


def angle(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Between two unit normals, 0–90 degrees."""
    return float(np.degrees(np.arccos(np.clip(abs(one @ other), 0.0, 1.0))))


def assess_obliquity(exam: Exam, made: Assessment) -> None:
    """T2 against the patient's long axis, DWI against the T2, in degrees."""
    own = normal(exam.t2)
    tilt = angle(own, SUPERIOR)
    made.measured("T2 obliquity", f"{tilt:.0f}°")
    made.judge(
        Code.TOO_OBLIQUE,
        Role.T2_AXIAL,
        tilt,
        limits.AXIAL_TILT,
        f"the T2 slices are tilted by {tilt:.0f}° against the axial plane"
        + (": not an axial series" if tilt > limits.AXIAL_TILT.refusal else ""),
    )
    if exam.dwi:
        between = angle(own, normal(next(iter(exam.dwi.values()))))
        made.judge(
            Code.TOO_OBLIQUE,
            Role.DWI,
            between,
            limits.DWI_TILT,
            f"DWI and T2 slices are tilted by {between:.0f}° against each other: thick slices mix other tissue",
        )


def assess_coverage(exam: Exam, made: Assessment) -> None:
    """Share of the tumour, or without a mask of the T2's central slab, inside DWI and CE-T1; a cut-off tumour."""
    target = exam.target
    mask = None if target is None else target.array
    name = "tumour" if target is exam.mask else "tumour bed"
    region = central_slab(exam.t2) if mask is None else mask
    for role, volume in _others(exam):
        inside = coverage(volume, exam.t2)
        outside = 1.0 - float(inside[region].mean())
        what = "central slab of the T2" if mask is None else name
        made.measured(f"{NAMES[role]} coverage", f"{1 - outside:.0%} of the {what}")
        slices = _uncovered_slices(inside, region)
        made.judge(
            Code.COVERAGE_INCOMPLETE,
            role,
            outside,
            limits.SLAB_UNCOVERED if mask is None else limits.UNCOVERED,
            f"{NAMES[role]} leaves out {outside:.1%} of the {what} ({slices} of its {_slices(region)} slices wholly)",
        )
    if mask is not None and target is exam.mask:
        _judge_ends(mask, made)


def assess_overlap(exam: Exam, made: Assessment) -> None:
    """Whether DWI and CE-T1 show the same part of the body as the T2 at all."""
    region = central_slab(exam.t2)
    for role, volume in _others(exam):
        outside = 1.0 - float(coverage(volume, exam.t2)[region].mean())
        made.judge(
            Code.COVERAGE_INCOMPLETE,
            role,
            outside,
            limits.SLAB_ELSEWHERE,
            f"{NAMES[role]} leaves out {outside:.0%} of the central slab of the T2: it shows another part of the body",
        )


def _others(exam: Exam) -> list[tuple[Role, Volume]]:
    """What is compared with the T2: diffusion where it was aligned to lie, and CE-T1."""
    diffusion = next(iter(exam.dwi.values()), None)
    if diffusion is None and exam.adc is not None:
        diffusion = exam.adc.volume
    if diffusion is not None and exam.inputs is not None and exam.inputs.alignment is not None:
        diffusion = exam.inputs.alignment.moved(diffusion)
    pairs = ((Role.DWI, diffusion), (Role.CE_T1, exam.ce_t1))
    return [(role, volume) for role, volume in pairs if volume is not None]


def central_slab(t2: Volume) -> MaskArray:
    """The middle half of the T2 along each axis: where a planned examination has its target."""
    slab = np.zeros(t2.array.shape, dtype=np.bool_)
    slab[tuple(slice(length // 4, length - length // 4) for length in t2.array.shape)] = True
    return slab


def _slices(region: MaskArray) -> int:
    return int(region.any(axis=(1, 2)).sum())


def _uncovered_slices(inside: MaskArray, region: MaskArray) -> int:
    return _slices(region) - _slices(region & inside)


def _judge_ends(mask: MaskArray, made: Assessment) -> None:
    """A tumour that fades out in the outermost slice is complete; one that is wide there goes on."""
    areas = mask.sum(axis=(1, 2)) / mask.sum(axis=(1, 2)).max()
    ends = [name for name, area in (("first", areas[0]), ("last", areas[-1])) if area > limits.CUT_OFF.warning]
    made.judge(
        Code.COVERAGE_INCOMPLETE,
        Role.T2_AXIAL,
        float(max(areas[0], areas[-1])),
        limits.CUT_OFF,
        f"the tumour reaches the {' and the '.join(ends)} slice of the T2, still wide there: it goes on outside",
    )
