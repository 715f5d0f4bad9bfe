"""What the headers of a chosen series say of how it was acquired, where its files are there to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pydicom
from pydicom import Dataset

from pipelines.contract import Role, SeriesFiles
from pipelines.headers.attributes import number, text
from pipelines.headers.files import UNREADABLE
from pipelines.headers.frames import functional_groups, group_item

# Enhanced MR keeps them in functional groups (PS3.3 C.8.13.5, C.7.6.16.2.1): attribute to (group, attribute there).
IN_GROUPS = {
    "SliceThickness": ("PixelMeasuresSequence", "SliceThickness"),
    "RepetitionTime": ("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
}


@dataclass(frozen=True)
class Acquisition:
    """Thickness in mm, times in ms, field in tesla; None or empty where the headers do not say."""

    slice_thickness: float | None = None
    echo_time: float | None = None
    repetition_time: float | None = None
    field_strength: float | None = None
    scanner: str = ""


def acquisition(chosen: Mapping[Role, SeriesFiles], role: Role) -> Acquisition:
    """From the first file of the series with this role; nothing where there is none that can be read."""
    series = chosen.get(role)
    if series is None or not series.paths:
        return Acquisition()
    try:
        dataset = pydicom.dcmread(series.paths[0], stop_before_pixels=True)
    except UNREADABLE:
        return Acquisition()
    groups = next(functional_groups(dataset), None)
    field = number(dataset, "MagneticFieldStrength")
    maker, model = text(dataset, "Manufacturer"), text(dataset, "ManufacturerModelName")
    return Acquisition(
        slice_thickness=_positive(dataset, groups, "SliceThickness"),
        echo_time=_positive(dataset, groups, "EchoTime"),
        repetition_time=_positive(dataset, groups, "RepetitionTime"),
        field_strength=None if field is None else field / (1e4 if field > 100 else 1.0),  # some write gauss
        scanner=f"{maker} {model}".strip(),
    )


def _positive(dataset: Dataset, groups: tuple[Dataset | None, Dataset] | None, keyword: str) -> float | None:
    source, name = dataset, keyword
    if groups is not None:
        group, name = IN_GROUPS[keyword]
        source = group_item(groups, group) or dataset
    found = number(source, name)
    return found if found is not None and found > 0 else None
