"""The tumour's outline burned into pictures of the T2 slices, as Secondary Capture images (PS3.3 A.8.1).

For viewers that draw neither segmentations nor presentation states. One picture per slice that holds tumour and one
neighbour on either side, with who outlined it and that it is for research only in the pixels.

Single-frame images rather than Multi-frame True Color: every viewer shows them and scrolls through them. They carry
the Image Plane and Frame of Reference attributes of their slice as a Standard Extended SOP Class (PS3.2 3.11.1), so
that viewers sort them, link them to the T2 and measure in them; the bands of text are part of the plane.
"""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from dicom_templates.contour_picture import Canvas, Pictures
from dicom_templates.filing import file_in, name_source, refer_to, stamp
from dicom_templates.identity import RESEARCH, ResultIdentity
from dicom_templates.kinds import CONTOURS_KINDS
from dicom_templates.outline import outlined_by
from dicom_templates.planes import Plane, cosines, edge_letters
from dicom_templates.secondary_capture import Capture, build_capture
from dicom_templates.segmentation import is_phantom
from dicom_templates.sources import decimals, study_header, t2_planes
from pipelines.contract import Exam, MaskOrigin

_VERSION_STEP: Final = 1000  # instance numbers of one version of the series


def build_contours(exam: Exam, identity: ResultIdentity, filed: Exam | None = None) -> tuple[Dataset, ...]:
    """The pictures of an exam with a tumour mask, in slice order.

    Filed in the study of ``filed``, of the exam itself by default. Raises TemplateError for an exam without a mask,
    InputUnfit where the T2 has no frame of reference.
    """
    pictures = Pictures.of(exam)
    planes = t2_planes(exam)
    study = study_header(filed or exam)
    contours = []
    for number, index in enumerate(pictures.slices, start=1):
        plane = planes[index]
        capture = Capture(
            CONTOURS_KINDS[exam.files.time_point],
            identity.description(_words(pictures), is_phantom(exam)),
            _VERSION_STEP * (identity.version - 1) + number,
            study,
        )
        contour = build_capture(pictures.draw(index, plane, identity), capture, identity)
        contour.SOPInstanceUID = identity.instance_uid(capture.kind, number)
        contour.DerivationDescription = f"T2 slice; tumour {outlined_by(pictures.mask)}. {RESEARCH}"
        stamp(contour, capture.kind, identity)
        file_in(contour, study)
        refer_to(contour, [plane.header])
        contour.SourceImageSequence = [name_source(plane)]
        _place(contour, pictures.canvas, index, plane)
        contours.append(contour)
    return tuple(contours)


def _words(pictures: Pictures) -> str:
    whose = "reader's " if pictures.mask.origin is MaskOrigin.READER else ""
    return f"{whose}outline images {pictures.exam.files.time_point}"


def _place(contour: Dataset, canvas: Canvas, index: int, plane: Plane) -> None:
    """Where the picture lies in the patient (PS3.3 C.7.4.1, C.7.6.2)."""
    contour.FrameOfReferenceUID, contour.PositionReferenceIndicator = plane.header.FrameOfReferenceUID, ""
    _, right, _, lower = edge_letters(canvas.volume)
    contour.PatientOrientation = [right, lower]
    contour.PixelSpacing = decimals((canvas.spacing, canvas.spacing))
    contour.SliceThickness = decimals([plane.thickness or canvas.volume.spacing[0]])[0]
    contour.ImageOrientationPatient = decimals(cosines(canvas.volume))
    contour.ImagePositionPatient = decimals(canvas.position(index))
