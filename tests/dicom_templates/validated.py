"""One object before dciodvfy."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from dicom_templates.encode import write_part10
from tests.programs import output_of


def complaints(dataset: Dataset, folder: Path, iod: str, accepted: tuple[str, ...] = ()) -> list[str]:
    """Every error and warning of dciodvfy that holds none of the ``accepted`` texts. ``iod``: what it must call it."""
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    write_part10(dataset, path)
    lines = [line.strip() for line in output_of("dciodvfy", "dicom3tools", Path("-new"), path).splitlines()]
    assert iod in lines, lines
    said = [line for line in lines if line.startswith(("Error", "Warning", "Abort"))]
    return [line for line in said if not any(text in line for text in accepted)]
