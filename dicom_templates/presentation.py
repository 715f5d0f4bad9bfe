"""The tumour's outline over the original T2 images, as a Grayscale Softcopy Presentation State (PS3.3 A.33.1).

For viewers that draw presentation states and no segmentations. Closed lines in image coordinates on a graphic layer
of their own, which a reader can switch off; a line of text on every slice that has an outline; one window for all
slices. A presentation state belongs to the study of its images (C.11.11): there is none of a baseline exam where
nothing may be filed in the baseline study.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import highdicom as hd
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_templates.errors import TemplateError
from dicom_templates.filing import file_in, stamp
from dicom_templates.identity import MANUFACTURER, MODEL_NAME, RESEARCH, ResultIdentity
from dicom_templates.kinds import PRESENTATION_KINDS
from dicom_templates.outline import outline_words, outlined_by, outlines
from dicom_templates.planes import Plane, is_multi_frame
from dicom_templates.segmentation import TRACKING_ID, TUMOUR_COLOURS, is_phantom
from dicom_templates.sources import decimals, for_highdicom, t2_planes
from pipelines.contract import Exam, Mask

LAYER: Final = "AI_TUMOUR"
_WHITE: Final = 0xFFFF  # Graphic Layer Recommended Display Grayscale Value, of grey displays
_TEXT_BOX: Final = (0.02, 0.02, 0.7, 0.1)  # left, top, right, bottom; shares of what is displayed
_SHOWN: Final = (1.0, 99.5)  # percentiles of the images between black and white


def build_presentation(exam: Exam, identity: ResultIdentity) -> Dataset:
    """The outline of the exam's tumour mask over all of its axial T2 images, filed in their study.

    Raises TemplateError for an exam without a mask, InputUnfit where the T2 cannot be referred to.
    """
    if exam.mask is None or not exam.mask.array.any():
        raise TemplateError(f"the {exam.files.time_point} exam has no tumour mask to outline")
    kind = PRESENTATION_KINDS[exam.files.time_point]
    planes = t2_planes(exam)
    images = _images(planes, exam)
    layer, greys = _layer(exam), _greys(exam)
    state = hd.pr.GrayscaleSoftcopyPresentationState(
        referenced_images=images,
        series_instance_uid=identity.series_uid(kind),
        series_number=identity.series_number(kind),
        sop_instance_uid=identity.sop_uid(kind),
        instance_number=identity.version,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=identity.software_version,
        device_serial_number=identity.device_uid,
        content_label=LAYER,
        content_description=f"Outline of the tumour, {exam.files.time_point}. {RESEARCH}",
        graphic_layers=[layer],
        graphic_annotations=list(_annotations(exam, exam.mask, planes, images, layer, identity)),
        modality_lut_transformation=greys.modality,
        voi_lut_transformations=[greys.window],
        series_description=identity.description(outline_words(exam.mask, exam.files.time_point), is_phantom(exam)),
    )
    _show_true_shape(state, planes[0])
    created = identity.local_time
    state.PresentationCreationDate = created.strftime("%Y%m%d")
    state.PresentationCreationTime = created.strftime("%H%M%S")
    stamp(state, kind, identity)
    file_in(state, planes[0].header)
    return state


def _show_true_shape(state: Dataset, plane: Plane) -> None:
    """Pixels as wide and high as they are: highdicom writes square ones (PS3.3 C.10.4)."""
    (area,) = state.DisplayedAreaSelectionSequence
    del area.PresentationPixelAspectRatio
    area.PresentationPixelSpacing = decimals(plane.spacing)


def _images(planes: Sequence[Plane], exam: Exam) -> list[Dataset]:
    """Every T2 object once, as highdicom wants them."""
    unique = {plane.key[0]: plane.header for plane in planes}
    images = [for_highdicom(header, exam.t2.spacing[0]) for header in unique.values()]
    for image in images:
        image.SamplesPerPixel = 1
    return images


def _layer(exam: Exam) -> hd.pr.GraphicLayer:
    layer = hd.pr.GraphicLayer(
        LAYER, 1, f"Tumour outline, {exam.files.time_point}", TUMOUR_COLOURS[exam.files.time_point]
    )
    layer.GraphicLayerRecommendedDisplayGrayscaleValue = _WHITE
    return layer


def _annotations(
    exam: Exam,
    mask: Mask,
    planes: Sequence[Plane],
    images: Sequence[Dataset],
    layer: hd.pr.GraphicLayer,
    identity: ResultIdentity,
) -> Iterator[hd.pr.GraphicAnnotation]:
    """The lines and the text of each slice that holds tumour."""
    by_uid = {str(image.SOPInstanceUID): image for image in images}
    tracking_uid = identity.tracking_uid(exam.files.patient)
    for plane, tumour in zip(planes, mask.array, strict=True):
        if not tumour.any():
            continue
        yield hd.pr.GraphicAnnotation(
            referenced_images=[by_uid[plane.key[0]]],
            referenced_frame_number=plane.frame,
            graphic_layer=layer,
            graphic_objects=[
                hd.pr.GraphicObject(
                    graphic_type=hd.pr.GraphicTypeValues.POLYLINE,
                    graphic_data=line,
                    units=hd.pr.AnnotationUnitsValues.PIXEL,
                    tracking_id=TRACKING_ID,
                    tracking_uid=tracking_uid,
                )
                for line in outlines(tumour)
            ],
            text_objects=[_label(exam, mask)],
        )


def _label(exam: Exam, mask: Mask) -> hd.pr.TextObject:
    return hd.pr.TextObject(
        text_value=f"AI result, {exam.files.time_point}: tumour {outlined_by(mask)}. {RESEARCH}",
        units=hd.pr.AnnotationUnitsValues.DISPLAY,
        bounding_box=_TEXT_BOX,
        text_justification=hd.pr.TextJustificationValues.LEFT,
    )


@dataclass(frozen=True)
class _Greys:
    """Window of all slices, in the values that ``slope`` and ``intercept`` give; both None for stored values."""

    low: float
    high: float
    slope: float | None
    intercept: float | None

    @property
    def modality(self) -> hd.ModalityLUTTransformation | None:
        """The images' own rescale: a presentation state without one means stored values (PS3.3 C.11.1)."""
        if self.slope is None:
            return None
        return hd.ModalityLUTTransformation(self.intercept, self.slope, rescale_type="US")

    @property
    def window(self) -> hd.pr.SoftcopyVOILUTTransformation:
        centre, width = (self.low + self.high) / 2.0, max(self.high - self.low, 1.0)
        return hd.pr.SoftcopyVOILUTTransformation(window_center=round(centre, 3), window_width=round(width, 3))


def _greys(exam: Exam) -> _Greys:
    """From the stored pixels: what the pipeline loaded may be real-world values, which no viewer windows."""
    files = [dcmread(path) for path in exam.t2_paths]
    rescales = {rescale for file in files for rescale in _rescales(file)}
    low, high = np.percentile(np.concatenate([file.pixel_array.ravel() for file in files]), _SHOWN)
    if len(rescales) != 1 or rescales == {(1.0, 0.0)}:
        return _Greys(float(low), float(high), None, None)
    ((slope, intercept),) = rescales
    return _Greys(float(low) * slope + intercept, float(high) * slope + intercept, slope, intercept)


def _rescales(file: Dataset) -> Iterator[tuple[float, float]]:
    """(slope, intercept) of the image, or of each of its frames (PS3.3 C.11.1, C.7.6.16.2.9)."""
    items = [file]
    if is_multi_frame(file):
        shared = file.SharedFunctionalGroupsSequence[0].get("PixelValueTransformationSequence")
        own = [frame.get("PixelValueTransformationSequence") for frame in file.PerFrameFunctionalGroupsSequence]
        items = [next(iter(item or shared or ()), Dataset()) for item in own]
    for item in items:
        yield float(item.get("RescaleSlope") or 1.0), float(item.get("RescaleIntercept") or 0.0)
