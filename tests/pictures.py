"""The documentation's pictures: ``python -m tests.pictures`` renders them anew into deploy/pictures.

Every page is of a phantom patient: no real person's images or name are in the project.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from dicom_templates.identity import ResultIdentity
from dicom_templates.report import build_report
from dicom_templates.segmentation import build_segmentation
from dicom_templates.summary import build_summary, render_summary
from dicom_templates.withdrawal import Withdrawal
from dicom_templates.withdrawn import build_withdrawn_page
from pipelines.case import load_exam
from pipelines.contract import Exam, Findings, Mask, MaskOrigin, TimePoint
from pipelines.exam import exam_files
from pipelines.masks.truth_mask import read_truth
from pipelines.phantom.cohort import write_patient
from tests.summary_stories import REASON, identity, stories

PICTURES = Path(__file__).resolve().parents[1] / "deploy" / "pictures"
SEED, PATIENT = 424_242, 2
COLOURS = 200


def phantom_exams(folder: Path) -> tuple[Exam, Exam]:
    """Baseline and restaging of a phantom patient, with the true tumour as a mask."""
    row = write_patient(folder, SEED, PATIENT)
    exams = []
    for time_point in TimePoint:
        exam, _ = load_exam(exam_files(folder / row.patient_id / time_point, time_point), None)
        truth = read_truth(folder / row.patient_id / "truth" / f"{time_point}.dcm", exam.t2)
        exams.append(replace(exam, mask=Mask(truth, MaskOrigin.READER, "the planted tumour")))
    return exams[0], exams[1]


def withdrawal(findings: Findings, made: ResultIdentity) -> Withdrawal:
    """The result of these findings, withdrawn two days later."""
    masks = {
        exam.files.time_point: build_segmentation(exam, made, exam.files.time_point, exam)
        for exam in findings.case.exams
    }
    objects: tuple[Dataset, ...] = (
        *masks.values(),
        build_report(findings, masks, made),
        build_summary(findings, made),
    )
    return Withdrawal(objects, REASON, replace(made, created=made.created + timedelta(days=2)))


def pages(folder: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The six examples, uint8 (rows, columns, RGB)."""
    told = stories(*phantom_exams(folder))
    for name, findings in told.items():
        yield name, render_summary(findings, identity(2 if name == "rescore" else 1))
    page = build_withdrawn_page(withdrawal(told["agreement"], identity()))
    yield "retraction", np.frombuffer(page.PixelData, np.uint8).reshape(page.Rows, page.Columns, 3)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A small PNG of every pixel, with fewer colours."""
    buffer = BytesIO()
    few = Image.fromarray(pixels).quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        for name, pixels in pages(Path(folder)):
            path = PICTURES / f"{name}.png"
            path.write_bytes(png(pixels))
            print(f"{path} {path.stat().st_size // 1000} kB")
    for path in map(Path, sys.argv[1:]):  # the demo's page, as the README shows it
        (PICTURES / "summary.png").write_bytes(png(np.asarray(Image.open(path).convert("RGB"))))


if __name__ == "__main__":
    main()
