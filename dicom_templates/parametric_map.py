"""Quantities per voxel as Parametric Map objects (PS3.3 A.75): ADC, D and K of the kurtosis model, Grad-CAM.

Float32 on the map's own grid, in the unit of its Real World Value Mapping with slope 1: a viewer that ignores the
mapping still shows the right number. Diffusivities are in 10⁻⁶ mm²/s, as scanners' own ADC maps and our reports are:
whole numbers around 1000, where windows in mm²/s (0.001) come out as 0 in viewers with whole-number windows.

A voxel without a value holds 0, stated as Float Pixel Padding Value: black in every viewer, as the background of
scanners' maps is. NaN would be valid (PS3.3 C.7.6.24) and breaks windows and statistics of viewers that do not expect
it. A value that is exactly 0 is written as the smallest normal float, so that 0 is padding and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as Concept
from pydicom.uid import MRImageStorage

from dicom_templates.codes import images as codes
from dicom_templates.errors import TemplateError
from dicom_templates.filing import file_in, name_source, refer_to, stamp
from dicom_templates.identity import MANUFACTURER, MODEL_NAME, RESEARCH, ResultIdentity
from dicom_templates.kinds import MAPS_KINDS
from dicom_templates.planes import Plane, cosines, on_grid, planes, slice_at
from dicom_templates.sources import decimals, for_highdicom, need_frame_of_reference, read_header, study_header
from pipelines.contract import Exam, Explanation, Findings, FloatArray, MapKind, Role, ScalarMap, TimePoint

PADDING: Final = 0.0
_SMALLEST: Final = np.finfo(np.float32).tiny
_LO: Final = 64
_VERSION_STEP: Final = 100  # instance numbers of one version of a series with several objects


@dataclass(frozen=True)
class Writing:
    """How a quantity is written: its name, unit, factor from the pipeline's unit, and the window to show it in."""

    name: str
    words: str
    unit: Concept
    factor: float
    lowest: float
    highest: float


WRITINGS: Final[dict[MapKind, Writing]] = {
    MapKind.ADC: Writing("ADC", "Apparent diffusion coefficient", codes.DIFFUSIVITY_UNIT, 1000.0, 0.0, 3000.0),
    MapKind.KURTOSIS_D: Writing("D", "Diffusivity of the kurtosis model", codes.DIFFUSIVITY_UNIT, 1000.0, 0.0, 3000.0),
    MapKind.KURTOSIS_K: Writing("K", "Kurtosis of the kurtosis model", codes.NO_UNIT, 1.0, 0.0, 2.0),
    MapKind.GRAD_CAM: Writing("Grad-CAM", "Where a network looked", codes.NO_UNIT, 1.0, 0.0, 1.0),
}


@dataclass(frozen=True)
class SourcedMap:
    """A map with the role of the series it was computed from. ``sequence``: what a network saw, for a Grad-CAM."""

    scalar: ScalarMap
    role: Role
    b_values: tuple[float, ...] = ()
    sequence: str = ""

    @property
    def title(self) -> str:
        """What it is, for people: with the model that a Grad-CAM belongs to."""
        model = self.scalar.model
        if self.scalar.kind is not MapKind.GRAD_CAM:
            return WRITINGS[self.scalar.kind].name
        if model is None:
            raise TemplateError("a Grad-CAM must name its model")
        return f"{WRITINGS[self.scalar.kind].name} {self.sequence} of {model.name} {model.version}"


def build_maps(
    exam: Exam, findings: Findings, identity: ResultIdentity, filed: Exam | None = None
) -> tuple[Dataset, ...]:
    """Every map of the exam, one object each, in the order of :func:`maps_of`; empty where there is none.

    Filed in the study of ``filed``, of the exam itself by default. Raises InputUnfit where a source has no frame of
    reference, TemplateError for a map that is not of the exam's sources or has no usable value.
    """
    made = maps_of(exam, findings)
    study = study_header(filed or exam)
    return tuple(_build(one, number, exam, identity, study, is_phantom(made)) for number, one in enumerate(made, 1))


def maps_of(exam: Exam, findings: Findings) -> tuple[SourcedMap, ...]:
    """ADC, the exam's further maps, then the Grad-CAMs of this time point, with what each was computed from."""
    made = []
    if exam.adc is not None:
        adc = ScalarMap(MapKind.ADC, exam.adc.volume, exam.adc.valid, exam.adc.fit)
        role = Role.ADC if "scanner" in exam.adc.fit or not exam.dwi else Role.DWI
        made.append(SourcedMap(adc, role, exam.adc.b_values))
    made += [SourcedMap(one, Role.DWI) for one in exam.maps]
    made += [
        SourcedMap(one.saliency, _role_seen(one, exam), sequence=one.sequence)
        for score in findings.scores
        for one in score.explanations
        if one.time_point is exam.files.time_point
    ]
    return tuple(made)


def is_phantom(maps: Sequence[SourcedMap]) -> bool:
    """Whether a phantom-trained model made one of the maps of a series, which then says so."""
    return any(one.scalar.model is not None and one.scalar.model.phantom_trained for one in maps)


def stored_values(scalar: ScalarMap) -> FloatArray:
    """What the object holds: float32 (slices, rows, columns) in the written unit, :data:`PADDING` without a value."""
    if scalar.valid.shape != scalar.volume.array.shape:
        raise TemplateError(f"the {scalar.kind} map's valid voxels {scalar.valid.shape} are not on its grid")
    if not scalar.valid.any() or not np.isfinite(scalar.volume.array[scalar.valid]).all():
        raise TemplateError(f"the {scalar.kind} map has no usable value, or one that is not finite")
    values = (scalar.volume.array.astype(np.float64) * WRITINGS[scalar.kind].factor).astype(np.float32)
    values[scalar.valid & (values == PADDING)] = _SMALLEST
    return np.where(scalar.valid, values, np.float32(PADDING)).astype(np.float32)


def source_planes(one: SourcedMap, exam: Exam) -> tuple[Plane, ...]:
    """Every image of the series that the map was computed from. InputUnfit where it has no frame of reference."""
    series = exam.files.chosen.get(one.role)
    if series is None:
        raise TemplateError(f"the {one.title} map comes from a {one.role} series that the exam does not have")
    headers = [read_header(path) for path in series.paths]
    for header in headers:
        need_frame_of_reference(header, f"the {one.role} series")
    frames = {str(header.FrameOfReferenceUID) for header in headers} | {one.scalar.volume.frame_of_reference_uid}
    if len(frames - {""}) != 1:
        raise TemplateError(f"the {one.title} map is in another frame of reference than its {one.role} series")
    return planes(headers)


def _role_seen(one: Explanation, exam: Exam) -> Role:
    """The series behind what a network saw of 'T2', 'DWI', 'ADC', 'CE-T1', or of several of them.

    An ADC is computed from the DWI where there is any. Of several sequences, or of one that lies in another frame of
    reference than the map, it is the T2, on whose grid such maps are.
    """
    name = one.sequence.strip().lower().replace("-", "_")
    role = {"dwi": Role.DWI, "adc": Role.DWI if exam.dwi else Role.ADC, "ce_t1": Role.CE_T1}.get(name, Role.T2_AXIAL)
    source = {
        Role.DWI: next(iter(exam.dwi.values()), None),
        Role.ADC: None if exam.adc is None else exam.adc.volume,
        Role.CE_T1: exam.ce_t1,
    }.get(role, exam.t2)
    frame = one.saliency.volume.frame_of_reference_uid
    elsewhere = source is None or (frame and source.frame_of_reference_uid not in ("", frame))
    return Role.T2_AXIAL if elsewhere or role not in exam.files.chosen else role


def _build(
    one: SourcedMap, number: int, exam: Exam, identity: ResultIdentity, study: Dataset, phantom: bool
) -> Dataset:
    kind, time_point = MAPS_KINDS[exam.files.time_point], exam.files.time_point
    created = identity.local_time
    seen = source_planes(one, exam)
    values, writing = stored_values(one.scalar), WRITINGS[one.scalar.kind]
    content: Dataset = hd.pm.ParametricMap(
        source_images=[_image_on_grid(one.scalar, seen[0].header)],
        pixel_array=hd.Volume(values, one.scalar.volume.affine, "PATIENT"),
        series_instance_uid=identity.series_uid(kind),
        series_number=identity.series_number(kind),
        sop_instance_uid=identity.instance_uid(kind, number),
        instance_number=_VERSION_STEP * (identity.version - 1) + number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=identity.software_version,
        device_serial_number=identity.device_uid,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping(one, values)],
        voi_lut_transformations=[
            hd.VOILUTTransformation((writing.lowest + writing.highest) / 2.0, writing.highest - writing.lowest)
        ],
        content_label="MAP",
        content_description=_described(one.title, time_point),
        content_qualification=hd.ContentQualificationValues.RESEARCH,
        series_description=identity.description(f"parametric maps {time_point}", phantom),
    )
    content.ContentDate, content.ContentTime = created.strftime("%Y%m%d"), created.strftime("%H%M%S")
    content.FloatPixelPaddingValue = content.FloatPixelPaddingRangeLimit = PADDING
    _refer_frames(content, one, seen)
    stamp(content, kind, identity)
    file_in(content, study)
    refer_to(content, [plane.header for plane in seen])
    return content


def _image_on_grid(scalar: ScalarMap, header: Dataset) -> Dataset:
    """A classic image on the map's grid, for highdicom to take identity and frame of reference from."""
    image = for_highdicom(header, scalar.volume.spacing[0])
    for keyword in ("NumberOfFrames", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        if keyword in image:
            del image[keyword]
    image.SOPClassUID = MRImageStorage
    image.Rows, image.Columns = scalar.volume.array.shape[1:]
    image.PixelSpacing = decimals(scalar.volume.spacing[1:])
    image.ImageOrientationPatient = decimals(cosines(scalar.volume))
    image.ImagePositionPatient = decimals(scalar.volume.affine[:3, 3])
    return image


def _mapping(one: SourcedMap, values: FloatArray) -> hd.pm.RealWorldValueMapping:
    """What the numbers are (PS3.3 C.7.6.16.2.11): quantity, unit, and the model and b-values of a diffusion map."""
    kind, writing = one.scalar.kind, WRITINGS[one.scalar.kind]
    mapping = hd.pm.RealWorldValueMapping(
        lut_label=writing.name,
        lut_explanation=f"{writing.words}; 0 is no value",
        unit=writing.unit,
        value_range=(float(values.min()), float(values.max())),
        quantity_definition=codes.MAP_QUANTITIES[kind],
    )
    _add_method(mapping, one)
    return mapping


def _add_method(mapping: Dataset, one: SourcedMap) -> None:
    """Content items (PS3.3 10.2) behind the quantity: the model, and the b-values of the source."""
    model = codes.DIFFUSION_MODELS.get(one.scalar.kind)
    if model is not None:
        item = _content_item(codes.MEASUREMENT_METHOD, "CODE")
        item.ConceptCodeSequence = [hd.sr.CodedConcept.from_code(model)]
        mapping.QuantityDefinitionSequence.append(item)
    for b_value in one.b_values:
        item = _content_item(codes.SOURCE_B_VALUE, "NUMERIC")
        item.NumericValue = b_value
        item.MeasurementUnitsCodeSequence = [hd.sr.CodedConcept.from_code(codes.B_VALUE_UNIT)]
        mapping.QuantityDefinitionSequence.append(item)


def _content_item(name: Concept, value_type: str) -> Dataset:
    item = Dataset()
    item.ValueType = value_type
    item.ConceptNameCodeSequence = [hd.sr.CodedConcept.from_code(name)]
    return item


def _refer_frames(content: Dataset, one: SourcedMap, seen: Sequence[Plane]) -> None:
    """How each frame was made, and the images whose pixels its voxels are; none for a map on a grid of its own."""
    volume = one.scalar.volume
    at: dict[int, list[Plane]] = {}
    for plane in seen:
        if on_grid(plane, volume):
            at.setdefault(slice_at(volume, plane.position), []).append(plane)
    diffusion = one.scalar.kind in codes.DIFFUSION_MODELS
    derivation = codes.DIFFUSION_ANALYSIS if diffusion else codes.UNSPECIFIED_METHOD
    for frame in content.PerFrameFunctionalGroupsSequence:
        item = Dataset()
        item.DerivationDescription = f"{one.title}. {one.scalar.how}"[:1024]
        item.DerivationCodeSequence = [hd.sr.CodedConcept.from_code(derivation)]
        place = slice_at(volume, frame.PlanePositionSequence[0].ImagePositionPatient)
        item.SourceImageSequence = [name_source(plane) for plane in at.get(place, [])]
        frame.DerivationImageSequence = [item]


def _described(title: str, time_point: TimePoint) -> str:
    """What the map is in 64 characters (LO), with as much of the rest as there is room for; the series says it too."""
    for rest in (f", {time_point}. {RESEARCH}", f". {RESEARCH}", ""):
        if len(title) + len(rest) <= _LO:
            return f"{title}{rest}"
    return f"{title[: _LO - 3]}..."
