"""A T2 slice with the tumour's outline drawn on it, between two bands of text, and where its pixels are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from dicom_templates.boxes import Box
from dicom_templates.errors import TemplateError
from dicom_templates.fonts import display_name
from dicom_templates.identity import MANUFACTURER, PHANTOM, RESEARCH, ResultIdentity
from dicom_templates.outline import outlined_by
from dicom_templates.page import Page
from dicom_templates.palette import OUTLINES, TIME_POINTS, Ink, Style
from dicom_templates.planes import Plane, edge_letters
from dicom_templates.segmentation import is_phantom
from pipelines.contract import Exam, FloatArray, Mask, MaskOrigin, Volume

PICTURE: Final = 768  # pixels of the longer side of a slice
ABOVE, BELOW = 72, 114  # pixels of the bands of text
_SHOWN: Final = (1.0, 99.7)  # percentiles of the shown slices between black and white

_TITLE, _TITLE_SMALLEST = Style(24, bold=True), 18.0
_WHO = Style(19, bold=True)
_SMALL = Style(16, Ink.SOFT)
_TAG = Style(19, Ink.ON_BRIGHT, bold=True)
_LETTER = Style(17, bold=True, halo=True)


@dataclass(frozen=True)
class Canvas:
    """Where a slice lies in its picture: ``spacing`` mm per pixel, square; ``width`` × ``height`` pixels of slice.

    A narrow slice has blank margins, ``left`` pixels on its left, so that the text has room.
    """

    volume: Volume
    spacing: float
    width: int
    height: int

    @classmethod
    def of(cls, volume: Volume) -> Canvas:
        _, row_mm, column_mm = volume.spacing
        rows, columns = volume.array.shape[1:]
        spacing = max(rows * row_mm, columns * column_mm) / PICTURE
        return cls(volume, spacing, round(columns * column_mm / spacing), round(rows * row_mm / spacing))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the whole picture."""
        return ABOVE + self.height + BELOW, max(self.width, PICTURE)

    @property
    def left(self) -> int:
        return (self.shape[1] - self.width) // 2

    @property
    def box(self) -> Box:
        """The slice in the picture."""
        return Box(self.left, ABOVE, self.width, self.height)

    def position(self, index: int) -> NDArray[np.float64]:
        """Image Position (Patient) of the picture: the centre of its upper left pixel, above the slice."""
        _, row_mm, column_mm = self.volume.spacing
        row = (0.5 - ABOVE) * self.spacing / row_mm - 0.5
        column = (0.5 - self.left) * self.spacing / column_mm - 0.5
        return np.asarray(self.volume.affine[:3] @ np.array([index, row, column, 1.0]), dtype=np.float64)

    def sample(self, plane: FloatArray, order: int) -> FloatArray:
        """A slice (rows, columns) at the centres of the picture's pixels (height, width)."""
        _, row_mm, column_mm = self.volume.spacing
        rows = (np.arange(self.height) + 0.5) * self.spacing / row_mm - 0.5
        columns = (np.arange(self.width) + 0.5) * self.spacing / column_mm - 0.5
        points = np.meshgrid(rows, columns, indexing="ij")
        return np.asarray(map_coordinates(plane, points, order=order, mode="nearest"), dtype=np.float32)


@dataclass(frozen=True)
class Pictures:
    """The pictures of one exam: the same field and the same window for every slice."""

    exam: Exam
    mask: Mask
    canvas: Canvas
    slices: tuple[int, ...]
    window: tuple[float, float]

    @classmethod
    def of(cls, exam: Exam) -> Pictures:
        """TemplateError for an exam without a tumour mask."""
        if exam.mask is None or not exam.mask.array.any():
            raise TemplateError(f"the {exam.files.time_point} exam has no tumour mask to draw")
        slices = shown_slices(exam.mask)
        low, high = np.percentile(exam.t2.array[list(slices)], _SHOWN)
        return cls(exam, exam.mask, Canvas.of(exam.t2), slices, (float(low), float(high)))

    def draw(self, index: int, plane: Plane, identity: ResultIdentity) -> NDArray[np.uint8]:
        """The picture of one slice, uint8 (rows, columns, RGB). ``plane``: the image that the slice is."""
        canvas = self.canvas
        page = Page(canvas.shape[1], canvas.shape[0])
        box = canvas.box
        outline = canvas.sample(self.mask.array[index].astype(np.float32), order=1)
        page.picture(box, self._grey(index))
        page.outline(box, outline, OUTLINES[self.exam.files.time_point])
        self._draw_letters(page, box)
        self._draw_above(page)
        self._draw_below(page, index, plane, identity)
        return page.pixels()

    def _grey(self, index: int) -> FloatArray:
        low, high = self.window
        sampled = self.canvas.sample(self.exam.t2.array[index], order=3)
        return np.asarray(np.clip((sampled - low) / max(high - low, 1e-6), 0, 1), dtype=np.float32)

    def _draw_letters(self, page: Page, box: Box) -> None:
        left, right, upper, lower = edge_letters(self.canvas.volume)
        across, down = box.middle
        page.text(box.x + 10, down - 10, left, _LETTER)
        page.text(box.right - 10, down - 10, right, _LETTER, "right")
        page.text(across, box.y + 6, upper, _LETTER, "center")
        page.text(across, box.bottom - 26, lower, _LETTER, "center")

    def _draw_above(self, page: Page) -> None:
        files = self.exam.files
        left = _tag(page, page.width - 10, RESEARCH, Ink.AMBER)
        if is_phantom(self.exam):
            left = _tag(page, left - 8, PHANTOM, Ink.ROSE)
        whose = "Reader's outline (copy)" if self.mask.origin is MaskOrigin.READER else "AI outline"
        title = f"{whose}, {files.time_point}"
        style = page.largest(title, _TITLE.with_ink(TIME_POINTS[files.time_point]), left - 24, _TITLE_SMALLEST)
        page.fitted(10, 8, title, style, left - 20)
        date = f"MR of {files.study_date.isoformat()}"
        page.text(page.width - 10, 44, date, _SMALL, "right")
        patient = f"ID {files.patient.patient_id} · {display_name(files.patient.name)}"
        page.fitted(10, 44, patient, _SMALL, page.width - 40 - page.measure(date, _SMALL))

    def _draw_below(self, page: Page, index: int, plane: Plane, identity: ResultIdentity) -> None:
        none_here = "" if self.mask.array[index].any() else "No tumour outline in this slice. "
        said = f"{none_here}Tumour {outlined_by(self.mask)}."
        page.paragraph(Box(10, page.height - BELOW + 8, page.width - 20, 3 * _WHO.line), said, _WHO)
        number = plane.frame or plane.header.get("InstanceNumber") or index + 1
        made = (
            f"T2 image {number} ({self.exam.t2.array.shape[0]} slices) · {MANUFACTURER} {identity.software_version}, "
            f"result version {identity.version} · not for diagnosis or treatment"
        )
        page.fitted(10, page.height - 27, made, _SMALL, page.width - 20)


def shown_slices(mask: Mask) -> tuple[int, ...]:
    """The slices with tumour, and one neighbour on either side of each run of them."""
    has = np.array([plane.any() for plane in mask.array])
    near = has.copy()
    near[:-1] |= has[1:]
    near[1:] |= has[:-1]
    return tuple(int(index) for index in np.flatnonzero(near))


def _tag(page: Page, right: float, words: str, ink: Ink) -> float:
    """A filled label that ends at ``right``; returns where it begins."""
    box = Box(right - page.measure(words, _TAG) - 20, 6, page.measure(words, _TAG) + 20, 32)
    page.rounded(box, ink)
    page.centred(box, words, _TAG)
    return box.x
