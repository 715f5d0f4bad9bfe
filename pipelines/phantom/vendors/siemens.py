"""Siemens' habits (classic MR): the b-value stands in (0019,100C) alone, and on the scanner's ADC map as well.

VR IS, or OB with the digits as bytes where an archive has passed the file on. ADC in 10⁻⁶ mm²/s, without a rescale.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from pipelines.phantom.site import Site
from pipelines.phantom.vendors.habits import Habits, Kind, SeriesHeader, b_words

TSE = ("SE", "SK\\SP\\OSP", "", "ORIGINAL\\PRIMARY\\M\\ND", 17, "*tse2d1_17")
VIBE = ("GR", "SP", "FS", "ORIGINAL\\PRIMARY\\M\\ND", 1, "*fl3d1")
# Every third patient's files have come through an archive that does not know the private VR.
THROUGH_AN_ARCHIVE = 3


def _header(kind: Kind, site: Site) -> SeriesHeader:
    named = f"ep2d_diff_b{b_words(site)}"
    diffusion = ("EP", "SK\\SP", "PFP\\FS")
    fitted = f"*ep_b{site.adc_b_values[0]:g}_{site.adc_b_values[-1]:g}"
    return {
        Kind.T2_SAGITTAL: SeriesHeader(2, "t2_tse_sag", "t2_tse_sag", *TSE),
        Kind.T2_AXIAL: SeriesHeader(3, "t2_tse_tra_obl", "t2_tse_tra_obl", *TSE),
        Kind.DWI: SeriesHeader(4, named, "ep2d_diff", *diffusion, "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE\\ND", 1),
        Kind.ADC: SeriesHeader(
            6, f"{named}_ADC", "ep2d_diff", *diffusion, "DERIVED\\PRIMARY\\DIFFUSION\\ADC\\ND", 1, fitted
        ),
        Kind.T1: SeriesHeader(7, "t1_vibe_fs_tra_nativ", "t1_vibe_fs_tra", *VIBE),
        Kind.CE_T1: SeriesHeader(5, "t1_fs_tra_ce", "t1_vibe_fs_tra", *VIBE),
    }[kind]


def _mark_series(ds: Dataset, kind: Kind, site: Site, index: int) -> None:
    if kind is Kind.ADC:
        _private_b_value(ds, site.adc_b_values[-1], index)


def _mark_b_value(ds: Dataset, b: float, index: int) -> None:
    ds.SequenceName = f"*ep_b{b:g}t"
    _private_b_value(ds, b, index)


def _private_b_value(ds: Dataset, b: float, index: int) -> None:
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    digits = f"{b:g}"
    if index % THROUGH_AN_ARCHIVE == 1:
        block.add_new(0x0C, "OB", (digits + " " * (len(digits) % 2)).encode())
    else:
        block.add_new(0x0C, "IS", digits)


SIEMENS = Habits("Restage phantom (Siemens-like)", _header, _mark_series, _mark_b_value)
