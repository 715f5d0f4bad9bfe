"""Once lossy, always lossy (PS3.3 C.7.6.1.1.5): what is derived from lossily compressed images says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pydicom.dataset import Dataset

from dicom_templates.kinds import TIME_POINTS, Result
from dicom_templates.sources import used_series
from pipelines.contract import Exam, Findings

_LOSSY, _LOSSLESS = "01", "00"
_HOW: Final = ("LossyImageCompressionRatio", "LossyImageCompressionMethod")


def mark_lossy(results: Iterable[Result], findings: Findings) -> None:
    """Give every image of a result the lossy compression of the images that it was made from."""
    for result in results:
        if "LossyImageCompression" not in result.dataset:
            continue
        lossy = _lossy_source(_exams_of(result, findings))
        result.dataset.LossyImageCompression = _LOSSLESS if lossy is None else _LOSSY
        for keyword in _HOW:
            if lossy is not None and keyword in lossy:
                result.dataset[keyword] = lossy[keyword]


def _exams_of(result: Result, findings: Findings) -> Sequence[Exam]:
    """The exams that an object was made from: its own, or for the pages all of them."""
    time_point = TIME_POINTS.get(result.kind)
    return [exam for exam in findings.case.exams if time_point in (None, exam.files.time_point)]


def _lossy_source(exams: Iterable[Exam]) -> Dataset | None:
    """The first image used whose pixels have been compressed lossily at some time."""
    headers = (header for exam in exams for series in used_series(exam) for header in series.headers)
    return next((header for header in headers if header.get("LossyImageCompression") == _LOSSY), None)
