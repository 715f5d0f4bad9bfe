"""What differs between vendors in the header of a series: the form that each vendor's module fills."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pydicom.dataset import Dataset

from pipelines.phantom.site import Site


class Kind(StrEnum):
    """The series of an exam, in the order in which they are acquired or computed."""

    T2_SAGITTAL = "t2_sagittal"
    T2_AXIAL = "t2_axial"
    DWI = "dwi"
    ADC = "adc"
    T1 = "t1"
    CE_T1 = "ce_t1"


@dataclass(frozen=True)
class SeriesHeader:
    """What the headers of one series say, as this vendor words it; several values are separated by backslashes."""

    number: int
    description: str
    protocol: str
    scanning_sequence: str
    sequence_variant: str
    scan_options: str
    image_type: str
    echo_train: int
    sequence_name: str = ""


@dataclass(frozen=True)
class Habits:
    """One vendor. ``mark_series`` and ``mark_b_value`` add what the standard attributes leave out.

    ``mark_series``(dataset, kind, site, index): the index is the patient's, so that habits of single scanners vary.
    ``mark_b_value``(dataset, b, index). ``by_slice``: all b-values of a slice follow each other.
    """

    manufacturer: str
    header: Callable[[Kind, Site], SeriesHeader]
    mark_series: Callable[[Dataset, Kind, Site, int], None]
    mark_b_value: Callable[[Dataset, float, int], None]
    by_slice: bool = False


def b_words(site: Site) -> str:
    return "_".join(f"{b:g}" for b in site.b_values)
