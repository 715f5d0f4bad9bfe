"""Where the diffusion images of an exam lie on its T2, and where the baseline exam lies in the restaging exam.

Both are moved only where that can be shown to help; otherwise nothing moves, and the reason is said.

Echo-planar images are displaced along their phase-encode direction by the field's inhomogeneity, over the rectum
1–4 mm nearly as a whole. So the DWI is shifted, not bent: along the phase-encode axis, then, where that adds much,
along the others (the patient moved). Rotation is not sought: within one exam it is under a degree, less than thick
slices can tell. Compared are the image at the lowest b-value, whose contrast is nearest to T2, and the T2, in the
middle of the T2's field, where the rectum lies and the rim of fat does not decide.

Between two exams the patient lay down anew: a rigid transform, sought from several starts, because the two fields of
view were planned weeks apart. It must explain the images much better than places 10 mm beside it: on a wrong place
(or in another person) it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from pipelines.contract import Affine, Alignment, Code, InputUnfit, MaskArray, Volume
from pipelines.registration.mutual_information import (
    Comparison,
    Detail,
    Found,
    NotComparable,
    centre,
    coarse,
    comparison,
    peak,
)
from pipelines.volumes.resample import coverage, mask_onto

DETAIL = Detail(fixed_mm=2.5, moving_mm=1.25, samples=50_000)
MIDDLE = 0.7
PHASE_LIMIT_MM, OTHER_LIMIT_MM = 8.0, 3.0
PHASE_SEARCH, OTHER_SEARCH, FINE_SEARCH = (16, 0.75), (6, 0.75), (4, 0.4)
"""Steps to either side and their length. Further than the limits: a best place beyond them is seen to be there."""
PHASE_GAIN, OTHER_GAIN = 0.04, 0.08
"""Share of its mutual information that a shift must add: on well-placed real images it adds up to 0.02 along the
phase-encode axis and 0.06 along others, where the rectum and bladder move between the two acquisitions."""
LEAST_NATS = 0.006
"""And so much at least: noise as coarse as 5 mm gains up to 0.005."""
LEAST_MM = 0.3
"""Less than a sixth of a DWI pixel is not worth a correction."""
EXAM_COARSE = Detail(fixed_mm=5.0, moving_mm=2.5, samples=12_000)
EXAM_FINE = Detail(fixed_mm=2.5, moving_mm=1.25, samples=30_000)
EXAM_STARTS = (
    *((axis, mm) for axis in (1, 2) for mm in (-20.0, 20.0)),
    *((0, mm) for mm in (-24.0, -12.0, 0.0, 12.0, 24.0)),
)
"""Offsets (index axis of the baseline, mm) from middle upon middle: how far apart the two fields may be planned."""
BESIDE_MM, BETTER_THAN_BESIDE = 10.0, 1.35
"""Of one person 1.4 and more (phantom), of two persons up to 1.3 (phantoms, and 1.2 real), of noise under 1."""
ROTATION_LIMIT, OFFSET_LIMIT_MM, LEAST_OVERLAP = 20.0, 60.0, 0.5
ALONG = ("across its slices", "along its columns of pixels", "along its rows of pixels")


def align_dwi(t2: Volume, dwi: Mapping[float, Volume], phase_axis: int | None) -> Alignment:
    """The shift from the DWI's LPS to the T2's, or the identity with the reason why there is none.

    ``dwi``: b-value (s/mm²) to image, all on one grid. ``phase_axis``: the index axis of the DWI along which it was
    phase-encoded, 1 or 2 (In-plane Phase Encoding Direction COL or ROW, PS3.3 C.8.3.1); None where the header does
    not say: then the in-plane axis that explains more, held to a stricter margin. Raises InputUnfit: NOT_ALIGNED
    where the frames of reference differ, NO_DIFFUSION where ``dwi`` is empty; ValueError for another axis.
    """
    if phase_axis not in (1, 2, None):
        raise ValueError(f"a phase-encode axis is 1 or 2, not {phase_axis}")
    if not dwi:
        raise InputUnfit(Code.NO_DIFFUSION, "no diffusion image to align with the T2")
    low = dwi[min(dwi)]
    if low.frame_of_reference_uid != t2.frame_of_reference_uid:
        reason = "T2 and DWI have different frames of reference: their places cannot be compared within one exam"
        raise InputUnfit(Code.NOT_ALIGNED, reason)
    axes = (1, 2) if phase_axis is None else (phase_axis,)
    try:
        search = _Search(comparison(low, t2, middle_of(t2, low), DETAIL))
        shift = max((search.phase_encoded(axis) for axis in axes), key=lambda shift: shift.information)
        shift = search.others(shift)
    except NotComparable:
        return unmoved("T2 and DWI have too little field or contrast in common")
    return _decided(shift, search, t2, OTHER_GAIN if phase_axis is None else PHASE_GAIN)


def align_exams(baseline_t2: Volume, restaging_t2: Volume) -> Alignment:
    """The rigid transform from the baseline's LPS to the restaging exam's, or the identity with the reason why not.

    Accepted where the images agree ``BETTER_THAN_BESIDE`` times as well as ``BESIDE_MM`` away in any direction, half
    of the baseline's middle lies in the restaging field, and the change is one that lying down anew can make: up to
    20 degrees, and 60 mm between the middles of the fields.
    """
    middle = middle_of(baseline_t2, baseline_t2)
    try:
        rough = comparison(baseline_t2, restaging_t2, middle, EXAM_COARSE)
        found = _climbs(rough, _starts(baseline_t2, restaging_t2, rough))
        overlapping = [one for one in found if _overlap(one.matrix, baseline_t2, restaging_t2) >= LEAST_OVERLAP]
        if not overlapping:
            return unmoved("the T2 of the two exams have too little field or contrast in common")
        images = comparison(baseline_t2, restaging_t2, middle, EXAM_FINE)
        best = images.climbed(max(overlapping, key=lambda one: one.information).matrix, 1.0, 40)
        beside = max(
            images.at(images.shifted(best.matrix, axis, mm)).information
            for axis in range(3)
            for mm in (-BESIDE_MM, BESIDE_MM)
        )
    except NotComparable:
        return unmoved("the T2 of the two exams have too little field or contrast in common")
    return _placed(best, beside, baseline_t2, restaging_t2)


def carried(mask: MaskArray, source: Volume, grid: Volume, alignment: Alignment) -> MaskArray:
    """A mask on the grid of ``source``, moved by ``alignment``, on ``grid``; False outside the source's extent."""
    return mask_onto(mask, alignment.moved(source), grid)


def unmoved(why: str) -> Alignment:
    """The identity, and why."""
    return Alignment(np.eye(4), accepted=False, displacement_mm=0.0, how=f"not moved: {why}")


def displacement(matrix: Affine, volume: Volume) -> float:
    """The largest displacement (mm) by a rigid map inside the central half of a volume along each axis."""
    size = np.array(volume.array.shape) - 1
    corners = np.array([(i, j, k) for i in (0.25, 0.75) for j in (0.25, 0.75) for k in (0.25, 0.75)]) * size
    points = corners @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    moved = points @ matrix[:3, :3].T + matrix[:3, 3]
    return float(np.linalg.norm(moved - points, axis=1).max())


def middle_of(field: Volume, grid: Volume) -> MaskArray:
    """Which voxels of ``grid`` lie in the elliptic cylinder of ``MIDDLE`` of the in-plane field of ``field``."""
    matrix = np.linalg.inv(field.affine) @ grid.affine
    steps = [np.arange(size, dtype=np.float32) for size in grid.array.shape]
    radius = np.zeros(grid.array.shape, dtype=np.float32)
    for axis in (1, 2):
        half = field.array.shape[axis] / 2
        along = [steps[i] * np.float32(matrix[axis, i] / half) for i in range(3)]
        start = np.float32((matrix[axis, 3] + 0.5 - half) / half)
        radius += (along[0][:, None, None] + along[1][:, None] + along[2] + start) ** 2
    return np.asarray(radius <= MIDDLE**2)


@dataclass(frozen=True)
class _Shift:
    """``mm``: along (slice, row, column) indices of the DWI; ``axis``: the phase-encode one. Information in nats."""

    axis: int
    mm: tuple[float, float, float]
    information: float


class _Search:
    """Shifts of one DWI and what they explain of the T2."""

    def __init__(self, images: Comparison) -> None:
        self._images = images
        self.unshifted = images.at(np.eye(4)).information

    def matrix(self, shift: _Shift) -> Affine:
        matrix = np.eye(4)
        for axis, distance in enumerate(shift.mm):
            matrix = self._images.shifted(matrix, 2 - axis, distance)
        return matrix

    def phase_encoded(self, axis: int) -> _Shift:
        """The best shift along the phase-encode axis."""
        start = _Shift(axis, (0.0, 0.0, 0.0), self.unshifted)
        return self._along(self._along(start, axis, PHASE_SEARCH), axis, FINE_SEARCH)

    def others(self, shift: _Shift) -> _Shift:
        """With shifts along the other axes, as far as each of them adds its share."""
        for axis in (1, 2, 0):
            if axis != shift.axis:
                further = self._along(shift, axis, OTHER_SEARCH)
                if gains(further.information, shift.information, OTHER_GAIN):
                    shift = self._along(further, axis, FINE_SEARCH)
        return shift

    def _along(self, start: _Shift, axis: int, steps: tuple[int, float]) -> _Shift:
        positions, information = self._images.along(self.matrix(start), 2 - axis, steps)
        return self._moved(start, axis, peak(positions, information, 2 * steps[1]))

    def _moved(self, start: _Shift, axis: int, distance: float) -> _Shift:
        a, b, c = (mm + (distance if index == axis else 0.0) for index, mm in enumerate(start.mm))
        moved = _Shift(start.axis, (a, b, c), 0.0)
        return _Shift(start.axis, moved.mm, self._images.at(self.matrix(moved)).information)


def gains(information: float, before: float, share: float) -> bool:
    """Whether mutual information rose by enough not to be chance."""
    return information - before >= max(share * before, LEAST_NATS)


def _decided(shift: _Shift, search: _Search, t2: Volume, least_gain: float) -> Alignment:
    axis, length = shift.axis, float(np.linalg.norm(shift.mm))
    facts = f"mutual information with the T2 {search.unshifted:.3f} in place, {shift.information:.3f} when shifted"
    where = ", ".join(f"{mm:+.1f} mm {ALONG[i]}" for i, mm in enumerate(shift.mm) if abs(mm) >= 0.05) or "0.0 mm"
    if not gains(shift.information, search.unshifted, least_gain):
        return unmoved(f"no shift of the DWI explains the T2 clearly better ({facts} by {where})")
    if length < LEAST_MM:
        return unmoved(f"the DWI lies within {LEAST_MM:g} mm of its best place on the T2 ({facts} by {where})")
    sideways = max(abs(mm) for index, mm in enumerate(shift.mm) if index != axis)
    if abs(shift.mm[axis]) > PHASE_LIMIT_MM or sideways > OTHER_LIMIT_MM:
        limits = f"{PHASE_LIMIT_MM:g} mm along phase encoding and {OTHER_LIMIT_MM:g} mm otherwise"
        return unmoved(f"the best shift of the DWI, {where}, is more than can be believed ({limits}; {facts})")
    matrix = search.matrix(shift)
    how = f"DWI shifted by {where} onto the T2; {facts}"
    return Alignment(matrix, accepted=True, displacement_mm=displacement(matrix, t2), how=how)


def _starts(baseline: Volume, restaging: Volume, images: Comparison) -> list[Affine]:
    """Middle upon middle and offset; the patient turned as the scanner says, and as the two stacks were angled."""
    as_angled = _axes(restaging) @ _axes(baseline).T
    starts = []
    for turn in (np.eye(3), as_angled):
        matrix = np.eye(4)
        matrix[:3, :3] = turn
        matrix[:3, 3] = centre(restaging) - turn @ centre(baseline)
        starts += [matrix @ images.shifted(np.eye(4), 2 - axis, mm) for axis, mm in EXAM_STARTS]
    return starts


def _climbs(images: Comparison, starts: Sequence[Affine]) -> list[Found]:
    """What each start climbs to, without those that leave the other image."""
    found = []
    for start in starts:
        with suppress(NotComparable):
            found.append(images.climbed(start, 4.0, 40))
    return found


def _axes(volume: Volume) -> Affine:
    return np.asarray(volume.affine[:3, :3] / np.array(volume.spacing))


def _overlap(matrix: Affine, baseline: Volume, restaging: Volume) -> float:
    """Share of the middle of the baseline that lies inside the restaging field."""
    small = coarse(baseline, EXAM_COARSE.fixed_mm)
    placed = Volume(small.array, matrix @ small.affine)
    return float(coverage(restaging, placed)[middle_of(baseline, small)].mean())


def _placed(best: Found, beside: float, baseline: Volume, restaging: Volume) -> Alignment:
    degrees = float(np.degrees(np.arccos(np.clip((np.trace(best.matrix[:3, :3]) - 1) / 2, -1.0, 1.0))))
    middle = best.matrix[:3, :3] @ centre(baseline) + best.matrix[:3, 3]
    offset = float(np.linalg.norm(middle - centre(restaging)))
    overlap = _overlap(best.matrix, baseline, restaging)
    facts = (
        f"turned by {degrees:.1f} degrees, the fields of view {offset:.0f} mm apart; mutual information of the two T2 "
        f"{best.information:.3f}, at most {beside:.3f} when {BESIDE_MM:g} mm beside"
    )
    if best.information < max(BETTER_THAN_BESIDE * beside, beside + LEAST_NATS):
        return unmoved(f"no place of the baseline explains the restaging T2 clearly better than others ({facts})")
    if degrees > ROTATION_LIMIT or offset > OFFSET_LIMIT_MM or overlap < LEAST_OVERLAP:
        return unmoved(f"the best place of the baseline is more than lying down anew explains ({facts})")
    how = f"baseline placed on the restaging exam by a rigid transform: {facts}"
    return Alignment(best.matrix, accepted=True, displacement_mm=displacement(best.matrix, baseline), how=how)
