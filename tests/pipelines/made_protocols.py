"""A rectal protocol as the headers of five vendors have it: image types, names, private b-values, derived series.

Written after public conformance statements and public scans; each series says which role it has to get.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom import Dataset

from pipelines.contract import Code, Role
from tests.pipelines.made_series import Grid, Maker

SHAPE = (8, 12, 10)
PLANES = {
    "axial": Grid(),
    "sagittal": Grid(orientation=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0)),
    "coronal": Grid(orientation=(1.0, 0.0, 0.0, 0.0, 0.0, -1.0)),
}
SetB = Callable[[Dataset, float], None]


@dataclass(frozen=True)
class Made:
    """A series, the role it has to get, its b-values, and the code where it is refused."""

    datasets: tuple[Dataset, ...]
    role: Role
    b_values: tuple[float, ...] = ()
    code: Code | None = None


@dataclass(frozen=True)
class Vendor:
    """How one vendor writes a series: ``types`` of an original image, and how a b-value is kept."""

    manufacturer: str
    types: tuple[str, ...]
    set_b: SetB

    def series(self, maker: Maker, expected: Role | Code, *values: Any, **attributes: Any) -> Made:
        """``values``: b-values; each has every slice. Attributes as DICOM keywords; ``plane`` by its name."""
        grid = PLANES[attributes.pop("plane", "axial")]
        common = {"Manufacturer": self.manufacturer, "ImageType": list(self.types), **attributes}
        uid = f"1.2.826.0.1.{maker.made}.{len(values)}"
        datasets: list[Dataset] = []
        for b in values or (None,):
            made = maker.slices(np.ones(SHAPE), grid, common, SeriesInstanceUID=uid)
            for dataset in made if b is not None else ():
                self.set_b(dataset, b)
            datasets += made
        if isinstance(expected, Code):
            return Made(tuple(datasets), Role.OTHER, (), expected)
        return Made(tuple(datasets), expected, tuple(values) if expected is Role.DWI else ())


def _siemens_b(dataset: Dataset, b: float) -> None:
    dataset.private_block(0x19, "SIEMENS MR HEADER", create=True).add_new(0x0C, "OB", f"{b:g}".encode().ljust(4))


def _ge_b(dataset: Dataset, b: float) -> None:
    block = dataset.private_block(0x43, "GEMS_PARM_01", create=True)
    block.add_new(0x39, "IS", [int(b) + 1_000_000_000, 8, 0, 0])


def _philips_b(dataset: Dataset, b: float) -> None:
    block = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
    block.add_new(0x03, "UN", struct.pack("<f", b))
    block.add_new(0x04, "CS", "I" if b else "N")


def _canon_b(dataset: Dataset, b: float) -> None:
    if b:
        dataset.DiffusionBValue = b


def _uih_b(dataset: Dataset, b: float) -> None:
    block = dataset.private_block(0x65, "Image Private Header", create=True)
    block.add_new(0x09, "FD", b * 0.93)
    block.add_new(0x0A, "FD", b)


SE_T2 = {"ScanningSequence": "SE", "EchoTime": 100, "RepetitionTime": 4200}
SE_T1 = {"ScanningSequence": "SE", "EchoTime": 10, "RepetitionTime": 650}
EPI = {"ScanningSequence": ["SE", "EP"], "EchoTime": 70, "RepetitionTime": 5000}
GRE = {"ScanningSequence": "GR", "EchoTime": 1.4, "RepetitionTime": 3.9, "MRAcquisitionType": "3D"}


def siemens(maker: Maker) -> Sequence[Made]:
    made = Vendor("SIEMENS", ("ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D"), _siemens_b).series
    trace = ["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW", "NORM", "DIS2D"]
    diffusion = {**EPI, "ScanningSequence": "EP", "SequenceName": "*ep_b50_800"}
    return (
        made(maker, Code.LOCALIZER, SeriesDescription="localizer", **GRE),
        made(maker, Code.NOT_RECOGNISED, SeriesDescription="t2_haste_cor", plane="coronal", **SE_T2),
        made(maker, Role.T2_SAGITTAL, SeriesDescription="t2_tse_sag", plane="sagittal", **SE_T2),
        made(maker, Role.T2_AXIAL, SeriesDescription="t2_tse_tra_schraeg_HR", **SE_T2),
        made(maker, Role.DWI, 50, 400, 800, SeriesDescription="ep2d_diff_TRACEW", ImageType=trace, **diffusion),
        made(maker, Role.ADC, 800, SeriesDescription="ep2d_diff_b50_400_800_ADC",
             ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC", "NORM"], **diffusion),
        made(maker, Code.CALCULATED_B_VALUE, 1400, SeriesDescription="ep2d_CALC_BVAL", ImageType=trace, **diffusion),
        made(maker, Role.T1, SeriesDescription="t1_tse_tra_nativ", AcquisitionTime="101000", **SE_T1),
        made(maker, Code.DYNAMIC_SERIES, SeriesDescription="t1_twist_tra_dyn", **GRE),
        made(maker, Role.CE_T1, SeriesDescription="t1_vibe_fs_tra_nach KM", ContrastBolusAgent="Gadovist", **GRE),
        made(maker, Code.SUBTRACTION, SeriesDescription="t1_vibe_fs_tra_SUB",
             ImageType=["DERIVED", "PRIMARY", "SUBTRACTION", "M"], **GRE),
        made(maker, Code.REFORMATTED, SeriesDescription="t2_space_MPR cor",
             ImageType=["DERIVED", "SECONDARY", "MPR", "CSA MPR"], **SE_T2),
    )  # fmt: skip  # one line a series reads as the protocol it is


def ge(maker: Maker) -> Sequence[Made]:
    made = Vendor("GE MEDICAL SYSTEMS", ("ORIGINAL", "PRIMARY", "OTHER"), _ge_b).series
    exam = {"ProtocolName": "MRI RECTUM W WO CONTRAST"}
    return (
        made(maker, Code.LOCALIZER, SeriesDescription="3-pl loc", **GRE, **exam),
        made(maker, Role.T2_AXIAL, SeriesDescription="Ax Obl T2 FRFSE HR", **SE_T2, **exam),
        made(maker, Role.T2_CORONAL, SeriesDescription="Cor T2 PROPELLER", plane="coronal",
             **{**SE_T2, "ScanningSequence": "RM"}, **exam),
        made(maker, Role.DWI, 0, 1000, SeriesDescription="Ax FOCUS DWI b1000", **EPI, **exam),
        made(maker, Role.ADC, SeriesDescription="Apparent Diffusion Coefficient (mm2/s)",
             ImageType=["DERIVED", "SECONDARY", "PROCESSED"], **EPI, **exam),
        made(maker, Code.DERIVED_SERIES, SeriesDescription="Exponential Apparent Diffusion Coefficient",
             ImageType=["DERIVED", "SECONDARY", "PROCESSED"], **EPI, **exam),
        made(maker, Role.T1, SeriesDescription="Ax T1 FSE", AcquisitionTime="101000", **SE_T1, **exam),
        made(maker, Role.CE_T1, SeriesDescription="WATER: Ax LAVA-Flex +C",
             ImageType=["DERIVED", "PRIMARY", "DIXON", "WATER"], **GRE, **exam),
        made(maker, Code.DERIVED_SERIES, SeriesDescription="FAT: Ax LAVA-Flex +C",
             ImageType=["DERIVED", "PRIMARY", "DIXON", "FAT"], **GRE, **exam),
        made(maker, Code.DYNAMIC_SERIES, SeriesDescription="Ax DISCO", NumberOfTemporalPositions=30, **GRE, **exam),
    )  # fmt: skip  # as above


def philips(maker: Maker) -> Sequence[Made]:
    made = Vendor("Philips Medical Systems", ("ORIGINAL", "PRIMARY", "M_SE", "M", "SE"), _philips_b).series
    gradient = {**GRE, "ImageType": ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]}
    return (
        made(maker, Code.LOCALIZER, SeriesDescription="Survey", **gradient),
        made(maker, Role.T2_AXIAL, SeriesDescription="T2W_TSE_HR_tra", **SE_T2),
        made(maker, Role.T2_SAGITTAL, SeriesDescription="3D VISTA T2", plane="sagittal", MRAcquisitionType="3D",
             ScanningSequence="SE", EchoTime=250, RepetitionTime=1500),
        made(maker, Role.DWI, 0, 800, SeriesDescription="DWI_b0_800", **EPI),
        made(maker, Role.ADC, SeriesDescription="dADC", **EPI,
             ImageType=["DERIVED", "PRIMARY", "ADC_UNSPECIFIED", "ADC", "UNSPECIFIED"]),
        made(maker, Code.CALCULATED_B_VALUE, 2000, SeriesDescription="cDWI b2000", **EPI,
             ImageType=["DERIVED", "PRIMARY", "M_SE", "M", "SE"]),
        made(maker, Code.DERIVED_SERIES, SeriesDescription="mDIXON T1 F", **{**gradient,
             "ImageType": ["DERIVED", "PRIMARY", "F", "F", "DERIVED"]}),
        made(maker, Role.T1, SeriesDescription="T1W_TSE avant injection", AcquisitionTime="101000", **SE_T1),
        made(maker, Role.CE_T1, SeriesDescription="e-THRIVE après injection", **gradient),
        made(maker, Code.REFORMATTED, SeriesDescription="MIP - eTHRIVE", **{**gradient,
             "ImageType": ["DERIVED", "SECONDARY", "PROJECTION IMAGE", "M", "FFE"]}),
    )  # fmt: skip  # as above


def canon(maker: Maker) -> Sequence[Made]:
    made = Vendor("CANON_MEC", ("ORIGINAL", "PRIMARY", "GDC"), _canon_b).series
    return (
        made(maker, Code.LOCALIZER, SeriesDescription="Locator", **GRE),
        made(maker, Role.T2_AXIAL, SeriesDescription="T2 FSE2D 斜軸位", **SE_T2),
        made(maker, Code.NOT_RECOGNISED, SeriesDescription="T2*W",
             ScanningSequence="GR", EchoTime=20, RepetitionTime=600),
        made(maker, Role.DWI, 0, 1000, SeriesDescription="DWI b1000", **EPI),
        made(maker, Role.ADC, SeriesDescription="ADC", ImageType=["DERIVED", "SECONDARY", "OTHER"], **EPI),
        made(maker, Role.T1, SeriesDescription="T1 造影前", AcquisitionTime="101000", **SE_T1),
        made(maker, Role.CE_T1, SeriesDescription="Quick 3D 造影後", **GRE),
        made(maker, Code.COLOUR_MAP, SeriesDescription="FA color", PhotometricInterpretation="RGB", **EPI),
    )  # fmt: skip  # as above


def uih(maker: Maker) -> Sequence[Made]:
    made = Vendor("UIH", ("ORIGINAL", "PRIMARY", "M"), _uih_b).series
    return (
        made(maker, Code.LOCALIZER, SeriesDescription="gre_scout", **GRE),
        made(maker, Role.T2_AXIAL, SeriesDescription="t2_fse_tra_obl", **SE_T2),
        made(maker, Code.NOT_RECOGNISED, SeriesDescription="t2_fse_stir_cor", plane="coronal",
             **{**SE_T2, "ScanningSequence": ["SE", "IR"]}),
        made(maker, Role.DWI, 50, 800, SeriesDescription="epi_dwi_tra", **EPI),
        made(maker, Role.ADC, 800, SeriesDescription="epi_dwi_tra_ADC",
             ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"], **EPI),
        made(maker, Role.T1, SeriesDescription="t1_quick3d_平扫", AcquisitionTime="101000", **GRE),
        made(maker, Role.CE_T1, SeriesDescription="t1_quick3d_增强", **GRE),
    )  # fmt: skip  # as above


PROTOCOLS = {"siemens": siemens, "ge": ge, "philips": philips, "canon": canon, "uih": uih}
