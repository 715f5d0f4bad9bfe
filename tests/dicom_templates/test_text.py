from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset

from dicom_templates.kinds import Kind
from dicom_templates.text import report_text

STORIES = ("good response", "refused", "withheld", "out of envelope", "single exam")


@pytest.fixture
def rendered(objects_of: Callable[[str], dict[Kind, Dataset]]) -> Callable[[str], str]:
    return lambda story: report_text(objects_of(story)[Kind.REPORT])


@pytest.mark.parametrize("story", STORIES)
def test_no_line_is_wider_than_a_hundred_columns(rendered: Callable[[str], str], story: str) -> None:
    text = rendered(story)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "RESEARCH USE ONLY" in text and "Muster^Erika" in text


def test_numbers_stand_in_a_row_under_their_exam(rendered: Callable[[str], str]) -> None:
    lines = rendered("good response").splitlines()
    assert next(line for line in lines if line.endswith("Change, %")).split() == [
        "Baseline",
        "Restaging",
        "Change,",
        "%",
    ]
    assert next(line for line in lines if line.startswith("Volume")).split()[-3:] == ["11.457", "3.051", "-73.4"]
    assert any("73.4 %   limits 61.2 to 82.9 %" in line for line in lines)


def test_a_report_without_numbers_says_so(rendered: Callable[[str], str]) -> None:
    text = rendered("refused")
    assert (
        "No tumour outline" in text
        and "[NO_DIFFUSION]" in text
        and "None. Where one was asked for, the reason is below." in text
    )
