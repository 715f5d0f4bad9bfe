"""Once lossy, always lossy (PS3.3 C.7.6.1.1.5): what is derived from lossily compressed images says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pydicom.dataset import Dataset

from dicom_templates.kinds import TIME_POINTS, Result
from dicom_templates.sources import used_series
from pipelines.contract import Exam, Findings, TimePoint

_LOSSY, _LOSSLESS = "01", "00"
_HOW: Final = ("LossyImageCompressionRatio", "LossyImageCompressionMethod")


def mark_lossy(results: Iterable[Result], findings: Findings) -> None:
    """Give every image of a result the lossy compression of the images that it was made from."""
    sources = {exam.files.time_point: _lossy_source(exam) for exam in findings.case.exams}
    for result in results:
        if "LossyImageCompression" not in result.dataset:
            continue
        lossy = next((sources[when] for when in _made_from(result, findings) if sources[when] is not None), None)
        result.dataset.LossyImageCompression = _LOSSLESS if lossy is None else _LOSSY
        for keyword in _HOW:
            if lossy is not None and keyword in lossy:
                result.dataset[keyword] = lossy[keyword]


def _made_from(result: Result, findings: Findings) -> Sequence[TimePoint]:
    """The exams that an object was made from: its own, or for the pages all of them."""
    time_point = TIME_POINTS.get(result.kind)
    exams = (exam.files.time_point for exam in findings.case.exams)
    return [when for when in exams if time_point in (None, when)]


def _lossy_source(exam: Exam) -> Dataset | None:
    """The exam's first image used whose pixels have been compressed lossily at some time."""
    headers = (header for series in used_series(exam) for header in series.headers)
    return next((header for header in headers if header.get("LossyImageCompression") == _LOSSY), None)
