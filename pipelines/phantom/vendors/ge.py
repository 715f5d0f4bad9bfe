"""GE's habits: the b-value is the first of four integers in (0043,1039), at some scanners with 10⁹ added.

Pixels are signed 16 bit. The scanner's ADC map is DERIVED\\SECONDARY\\PROCESSED, in 10⁻⁶ mm²/s, and only its
description says what it is.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from pipelines.phantom.site import Site
from pipelines.phantom.vendors.habits import Habits, Kind, SeriesHeader

OFFSET = 1_000_000_000
ORIGINAL = "ORIGINAL\\PRIMARY\\OTHER"
FRFSE = ("SE", "SK", "FAST_GEMS\\EDR_GEMS\\TRF_GEMS\\SAT_GEMS", ORIGINAL, 19)
LAVA = ("GR", "SS\\SK", "FAST_GEMS\\EDR_GEMS\\FS", ORIGINAL, 1)
EPI = ("EP\\SE", "NONE", "SAT_GEMS\\EDR_GEMS\\EPI_GEMS\\ACC_GEMS\\PFF\\FS")


def _header(kind: Kind, site: Site) -> SeriesHeader:
    highest = f"{site.b_values[-1]:g}"
    return {
        Kind.T2_SAGITTAL: SeriesHeader(2, "Sag T2 FRFSE", "Rectum", *FRFSE),
        Kind.T2_AXIAL: SeriesHeader(3, "Ax T2 FRFSE obl", "Rectum", *FRFSE),
        Kind.DWI: SeriesHeader(4, f"Ax DWI b{highest}", "Rectum", *EPI, ORIGINAL, 1),
        Kind.ADC: SeriesHeader(
            400, "Apparent Diffusion Coefficient (mm2/s)", "Rectum", *EPI, "DERIVED\\SECONDARY\\PROCESSED", 1
        ),
        Kind.T1: SeriesHeader(6, "Ax LAVA FS pre", "Rectum", *LAVA),
        Kind.CE_T1: SeriesHeader(7, "Ax LAVA FS +C", "Rectum", *LAVA),
    }[kind]


def _mark_series(ds: Dataset, kind: Kind, site: Site, index: int) -> None:
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 15, 1
    if kind is Kind.ADC:
        _private_b_value(ds, site.adc_b_values[-1], index)


def _mark_b_value(ds: Dataset, b: float, index: int) -> None:
    _private_b_value(ds, b, index)


def _private_b_value(ds: Dataset, b: float, index: int) -> None:
    block = ds.private_block(0x0043, "GEMS_PARM_01", create=True)
    stated = round(b) + (OFFSET if index % 2 and b else 0)
    block.add_new(0x39, "IS", [str(stated), "8", "0", "0"])


GE = Habits("Restage phantom (GE-like)", _header, _mark_series, _mark_b_value)
