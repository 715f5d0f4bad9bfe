"""A phantom's planted tumour, read from its SEG as a reader's mask is read: what training and judging compare with."""

from __future__ import annotations

from pathlib import Path

import pydicom

from pipelines.contract import Code, InputUnfit, MaskArray, Volume
from pipelines.headers.attributes import text
from pipelines.masks.annotations import DEFAULT_ROI_PATTERN, read_annotation
from pipelines.masks.reader_mask import place


def read_truth(path: Path, t2: Volume) -> MaskArray:
    """The tumour of the phantom's truth/baseline.dcm or restaging.dcm on the grid of the exam's axial T2.

    Raises InputUnfit (READER_MASK_UNFIT) where the file holds no tumour, or one that cannot be placed on this T2.
    """
    study = text(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"]), "StudyInstanceUID")
    annotation = read_annotation(path, {study}, DEFAULT_ROI_PATTERN)
    if annotation is None:
        raise InputUnfit(Code.READER_MASK_UNFIT, f"{path.name} is no annotation that another party made")
    return place(annotation, t2).array
