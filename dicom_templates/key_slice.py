"""The slice of an exam that the page shows: the largest tumour area, T2 and ADC cut to the same field of view.

A restaging exam without a tumour of its own is shown where the baseline's tumour lay, if the two could be aligned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from dicom_templates.planes import edge_letters
from pipelines.contract import Exam, FloatArray, MaskArray, Volume

_SIZE = 512  # samples per side of a picture
_SMALLEST_MM, _LARGEST_MM = 70.0, 180.0
_MARGIN_MM = 22.0
ADC_TOP = 2.5  # 10⁻³ mm²/s, white in the ADC picture


@dataclass(frozen=True)
class KeySlice:
    """Pictures (rows, columns) with values 0 to 1, and where they are.

    ``diffusion`` is the ADC map, or the DWI of the highest b-value, ``diffusion_words`` says which; None and empty
    where the exam has neither. ``edges``: anatomical letters of the left, right, upper and lower edge. ``points``: LPS
    mm (3, rows, columns) of the pictures' samples. ``of_bed``: ``outline`` is the baseline's tumour, carried over.
    """

    index: int
    slices: int
    area_cm2: float
    field_mm: float
    t2: FloatArray
    outline: FloatArray | None
    diffusion: FloatArray | None
    diffusion_words: str
    is_adc: bool
    edges: tuple[str, str, str, str]
    points: NDArray[np.float64]
    of_bed: bool = False

    def sample(self, volume: Volume) -> FloatArray:
        """Another volume of this exam in the same place, 0 outside it."""
        return _sample(volume, self.points, order=1)


def field_of_view(exams: tuple[Exam, ...]) -> float:
    """Side of the square that shows every exam's tumour at its largest slice with a margin, mm: one scale for all."""
    sides = [_SMALLEST_MM]
    for exam in exams:
        planes = _planes(exam)
        if planes is not None:
            rows, columns = np.nonzero(planes[_largest(planes)])
            _, row_mm, column_mm = exam.t2.spacing
            sides.append(max(np.ptp(rows) * row_mm, np.ptp(columns) * column_mm) + 2 * _MARGIN_MM)
        else:
            sides.append(0.8 * min(np.array(exam.t2.array.shape[1:]) * exam.t2.spacing[1:]))
    return float(min(_LARGEST_MM, max(sides)))


def key_slice(exam: Exam, field_mm: float) -> KeySlice:
    """The exam's slice with the largest tumour area (the middle one without a tumour), ``field_mm`` across."""
    planes = _planes(exam)
    return _slice(exam, field_mm, len(exam.t2.array) // 2 if planes is None else _largest(planes))


def slice_at(exam: Exam, field_mm: float, index: int) -> KeySlice:
    """Another slice of the exam, at the key slice's place."""
    return _slice(exam, field_mm, index)


def further_slices(exam: Exam, field_mm: float, number: int) -> tuple[KeySlice, ...]:
    """Up to ``number`` other slices, spread over those with tumour (over all without one), at the key slice's place."""
    planes = _planes(exam)
    none = np.zeros(len(exam.t2.array), dtype=bool)
    shown = none if planes is None else np.asarray(planes.any(axis=(1, 2)))
    largest = len(shown) // 2 if planes is None else _largest(planes)
    candidates = np.flatnonzero(shown if shown.any() else ~shown)
    others = [int(index) for index in candidates if index != largest]
    places = np.linspace(0, len(others) - 1, min(number, len(others)))
    chosen = [others[round(place)] for place in places]
    return tuple(_slice(exam, field_mm, index) for index in chosen)


def _slice(exam: Exam, field_mm: float, index: int) -> KeySlice:
    planes = _planes(exam)
    of_bed = planes is not None and not _has_tumour(exam)
    plane = None if planes is None else planes[index]
    points = _sample_points(exam, index, None if planes is None else planes[_largest(planes)], field_mm)
    t2 = _window(_sample(exam.t2, points, order=1))
    outline = None if plane is None else _sample_plane(plane, exam.t2, index, points)
    diffusion, words, is_adc = _diffusion(exam, points)
    _, row_mm, column_mm = exam.t2.spacing
    area = 0.0 if plane is None or of_bed else float(np.count_nonzero(plane)) * row_mm * column_mm / 100.0
    return KeySlice(
        index=index,
        slices=exam.t2.array.shape[0],
        area_cm2=area,
        field_mm=field_mm,
        t2=t2,
        outline=outline,
        diffusion=diffusion,
        diffusion_words=words,
        is_adc=is_adc,
        edges=edge_letters(exam.t2),
        points=points,
        of_bed=of_bed,
    )


def _has_tumour(exam: Exam) -> bool:
    return exam.mask is not None and bool(exam.mask.array.any())


def _planes(exam: Exam) -> MaskArray | None:
    """The tumour, or where the baseline's lay; None where neither is known."""
    if exam.mask is not None and _has_tumour(exam):
        return exam.mask.array
    return None if exam.bed is None else exam.bed.array


def _largest(planes: MaskArray) -> int:
    areas = [int(np.count_nonzero(plane)) for plane in planes]
    return areas.index(max(areas))


def _sample_points(exam: Exam, index: int, plane: NDArray[np.bool_] | None, field_mm: float) -> NDArray[np.float64]:
    """LPS mm (3, size, size) of the picture's samples, centred on the tumour or on the image."""
    rows, columns = exam.t2.array.shape[1:]
    centre = np.array([(rows - 1) / 2.0, (columns - 1) / 2.0])
    if plane is not None:
        where = np.argwhere(plane)
        centre = (where.min(axis=0) + where.max(axis=0)) / 2.0
    _, row_mm, column_mm = exam.t2.spacing
    offsets = (np.arange(_SIZE) + 0.5) / _SIZE * field_mm - field_mm / 2.0
    grid_rows, grid_columns = np.meshgrid(centre[0] + offsets / row_mm, centre[1] + offsets / column_mm, indexing="ij")
    indices = np.stack([np.full_like(grid_rows, index), grid_rows, grid_columns])
    affine = exam.t2.affine
    return np.tensordot(affine[:3, :3], indices, axes=1) + affine[:3, 3][:, None, None]


def _sample(volume: Volume, points: NDArray[np.float64], order: int) -> FloatArray:
    """The volume at LPS points, 0 outside it."""
    inverse = np.linalg.inv(volume.affine)
    indices = np.tensordot(inverse[:3, :3], points, axes=1) + inverse[:3, 3][:, None, None]
    indices[0] = np.where(np.abs(indices[0] - np.rint(indices[0])) < 1e-3, np.rint(indices[0]), indices[0])
    sampled = map_coordinates(volume.array, indices, order=order, mode="constant", cval=0.0)
    return np.asarray(sampled, dtype=np.float32)


def _sample_plane(plane: NDArray[np.bool_], t2: Volume, index: int, points: NDArray[np.float64]) -> FloatArray:
    single = np.zeros(t2.array.shape, dtype=np.float32)
    single[index] = plane
    return _sample(t2.like(single), points, order=1)


def _diffusion(exam: Exam, points: NDArray[np.float64]) -> tuple[FloatArray | None, str, bool]:
    if exam.adc is not None:
        values = exam.adc.volume.like(np.where(exam.adc.valid, exam.adc.volume.array, 0.0).astype(np.float32))
        b_values = ", ".join(f"{b:g}" for b in exam.adc.b_values)
        words = f"ADC, b {b_values}" if b_values else "ADC, b-values unknown"
        return np.clip(_sample(placed(exam, values), points, order=1) / ADC_TOP, 0, 1), words, True
    if exam.dwi:
        highest = max(exam.dwi)
        shown = _window(_sample(placed(exam, exam.dwi[highest]), points, order=1))
        return shown, f"DWI b {highest:g} s/mm²", False
    return None, "", False


def placed(exam: Exam, volume: Volume) -> Volume:
    """A diffusion image where it was aligned to lie on the T2."""
    alignment = None if exam.inputs is None else exam.inputs.alignment
    return volume if alignment is None else alignment.moved(volume)


def _window(picture: FloatArray) -> FloatArray:
    """Grey levels between the 1st and the 99.5th percentile of what is shown."""
    shown = picture[picture > 0]
    if shown.size == 0:
        return np.zeros_like(picture)
    low, high = np.percentile(shown, [1.0, 99.5])
    return np.asarray(np.clip((picture - low) / max(float(high - low), 1e-6), 0, 1), dtype=np.float32)
