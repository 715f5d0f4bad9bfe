"""Philips' habits: the b-value is a float in (2001,1003), every series has a rescale slope and a private scale slope.

A stored value times the rescale slope is what the console shows; divided by rescale slope × scale slope (2005,100E)
it is the signal. The rescaled ADC map is in 10⁻³ mm²/s. All b-values of one slice follow each other.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from pipelines.phantom.site import Site
from pipelines.phantom.vendors.habits import Habits, Kind, SeriesHeader

SE_MAGNITUDE = "ORIGINAL\\PRIMARY\\M_SE\\M\\SE"
TSE = ("SE", "SK", "OTHER", SE_MAGNITUDE, 19)
THRIVE = ("GR", "SS\\SP", "FS", "ORIGINAL\\PRIMARY\\M_FFE\\M\\FFE", 1)
# What one stored count shows on the console, per series; times a factor of the patient's.
SHOWN = {Kind.T2_SAGITTAL: 1.27, Kind.T2_AXIAL: 1.84, Kind.DWI: 2.65, Kind.T1: 3.02, Kind.CE_T1: 3.41}
SCALE_SLOPE = 0.0098


def _header(kind: Kind, site: Site) -> SeriesHeader:
    named = f"DWI_{len(site.b_values)}b"
    return {
        Kind.T2_SAGITTAL: SeriesHeader(201, "T2W_TSE_SAG", "T2W_TSE_SAG", *TSE),
        Kind.T2_AXIAL: SeriesHeader(301, "T2W_TSE_AX_OBL", "T2W_TSE_AX_OBL", *TSE),
        Kind.DWI: SeriesHeader(401, named, named, "SE", "SK", "OTHER\\FS", SE_MAGNITUDE, 57),
        Kind.ADC: SeriesHeader(402, "dADC", named, "SE", "SK", "OTHER\\FS", "DERIVED\\PRIMARY\\ADC\\ADC\\SE", 57),
        Kind.T1: SeriesHeader(501, "T1W_eTHRIVE_nativ", "T1W_eTHRIVE", *THRIVE),
        Kind.CE_T1: SeriesHeader(601, "T1W_eTHRIVE_GD", "T1W_eTHRIVE", *THRIVE),
    }[kind]


def _mark_series(ds: Dataset, kind: Kind, site: Site, index: int) -> None:
    slope = site.adc_step if kind is Kind.ADC else SHOWN[kind] * (1 + 0.013 * (index % 7))
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = f"{slope:.10g}", "0", "normalized"
    block = ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    block.add_new(0x0E, "FL", SCALE_SLOPE / slope)


def _mark_b_value(ds: Dataset, b: float, index: int) -> None:
    block = ds.private_block(0x2001, "Philips Imaging DD 001", create=True)
    block.add_new(0x03, "FL", b)
    block.add_new(0x04, "CS", "I" if b else "O")


PHILIPS = Habits("Restage phantom (Philips-like)", _header, _mark_series, _mark_b_value, by_slice=True)
