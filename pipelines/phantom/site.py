"""The synthetic hospitals: scanner, protocol and image quality. Outcome never depends on the site."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Vendor(StrEnum):
    """Whose header habits the site's files follow (``vendors``)."""

    SIEMENS = "siemens"
    GE = "ge"
    PHILIPS = "philips"


@dataclass(frozen=True)
class Site:
    """One hospital's scanner and protocol. Times in ms, distances in mm, field in tesla, b-values in s/mm².

    ``epi_shift``: how far EPI displaces the pelvis along ``phase_encoding`` (PS3.3 C.8.3.1: COL encodes along a
    column of the image, ROW along a row). ``adc_b_values``: what the scanner fits its own map to. ``adc_step``: what
    one stored count of that map is, in 10⁻³ mm²/s.
    """

    name: str
    model: str
    vendor: Vendor
    field_t: float
    t2_spacing: float
    slice_step: float
    slice_thickness: float
    t2_te: float
    t2_tr: float
    dwi_te: float
    dwi_tr: float
    b_values: tuple[float, ...]
    snr: tuple[float, float]
    bias: float
    epi_shift: tuple[float, float]
    phase_encoding: str = "COL"
    adc_b_values: tuple[float, ...] = (0.0, 1000.0)
    adc_step: float = 1e-3
    unenhanced_t1: bool = False

    @property
    def institution(self) -> str:
        return f"Synthetic site {self.name}"


SITES = (
    Site(
        name="A",
        model="Phantom 3T A",
        vendor=Vendor.SIEMENS,
        field_t=3.0,
        t2_spacing=1.25,
        slice_step=4.0,
        slice_thickness=4.0,
        t2_te=101.0,
        t2_tr=4200.0,
        dwi_te=68.0,
        dwi_tr=5200.0,
        b_values=(0.0, 600.0, 1000.0, 1500.0, 2000.0),
        snr=(38, 60),
        bias=0.16,
        epi_shift=(1.0, 3.0),
        adc_b_values=(0.0, 600.0, 1000.0),
    ),
    Site(
        name="B",
        model="Phantom 3T B",
        vendor=Vendor.GE,
        field_t=3.0,
        t2_spacing=1.20,
        slice_step=4.2,
        slice_thickness=4.0,
        t2_te=96.0,
        t2_tr=3800.0,
        dwi_te=74.0,
        dwi_tr=6000.0,
        b_values=(0.0, 500.0, 1000.0),
        snr=(34, 54),
        bias=0.22,
        epi_shift=(1.5, 4.0),
        unenhanced_t1=True,
    ),
    Site(
        name="C",
        model="Phantom 1.5T C",
        vendor=Vendor.PHILIPS,
        field_t=1.5,
        t2_spacing=1.30,
        slice_step=4.4,
        slice_thickness=4.0,
        t2_te=108.0,
        t2_tr=4800.0,
        dwi_te=82.0,
        dwi_tr=5600.0,
        b_values=(0.0, 500.0, 1000.0),
        snr=(30, 44),
        bias=0.10,
        epi_shift=(1.0, 2.5),
        phase_encoding="ROW",
        adc_b_values=(0.0, 500.0, 1000.0),
        adc_step=4 / 4095,
    ),
)


OUTSIDE = Site(
    name="D",
    model="Phantom 1.5T D",
    vendor=Vendor.SIEMENS,
    field_t=1.5,
    t2_spacing=1.28,
    slice_step=4.3,
    slice_thickness=4.0,
    t2_te=90.0,
    t2_tr=4000.0,
    dwi_te=70.0,
    dwi_tr=4600.0,
    b_values=(0.0, 400.0, 800.0),
    snr=(32, 50),
    bias=0.18,
    epi_shift=(1.0, 3.0),
    adc_b_values=(0.0, 400.0, 800.0),
)
"""A hospital for testing alone: no cohort has its patients unless it is named, so no shipped bundle has seen it."""


@dataclass(frozen=True)
class Preset:
    """How large and how many: matrices and slices; the protocol itself is the site's.

    ``scale`` divides the site's T2 spacing in plane, ``step_share`` multiplies the slice distance and thickness of T2
    and T1. Lengths in mm.
    """

    name: str
    t2_matrix: int
    slices: int
    dwi_matrix: int
    dwi_field_of_view: float
    dwi_slices: int
    sagittal_matrix: int
    sagittal_slices: int
    scale: float = 1.0
    step_share: float = 1.0


SMALL = Preset("small", 160, 16, 96, 240.0, 16, 144, 7)
FULL = Preset("full", 320, 26, 128, 217.6, 20, 288, 15, scale=2.0, step_share=0.75)
