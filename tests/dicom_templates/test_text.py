from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset

from dicom_templates.kinds import Kind
from dicom_templates.text import report_text
from tests.dicom_templates.conftest import STORIES


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
    assert next(line for line in lines if line.startswith("Volume")).split()[-3:] == ["11.5", "3.1", "-73"]
    assert any("73 %   limits 61 to 83 %" in line for line in lines)


def test_a_report_without_numbers_says_so(rendered: Callable[[str], str]) -> None:
    text = rendered("refused")
    assert (
        "No tumour outline" in text
        and "[NO_DIFFUSION]" in text
        and "None. Where one was asked for, the reason is below." in text
    )


def test_it_has_the_order_of_the_report(rendered: Callable[[str], str]) -> None:
    text = rendered("disagreement")
    places = [
        text.index(words)
        for words in (
            "RESEARCH USE ONLY, PHANTOM-TRAINED. Restaging MR",
            "TUMOUR ---",
            "REPORTED BY READERS ---",
            "PREDICTIONS ---",
            "THE SYSTEMS DISAGREE ---",
            "REFUSED, AND WARNINGS ---",
            "WHAT WAS USED ---",
            "LIMITS OF USE ---",
        )
    ]
    assert places == sorted(places)


def test_a_curve_has_a_line_for_each_horizon(rendered: Callable[[str], str]) -> None:
    lines = rendered("four systems").splitlines()
    assert "Event-free share at 36 months     79 %   limits 67 to 88 %" in lines
    assert "dlrs_nomogram_preoperative: distant metastasis within 36 months of surgery (version 1.0)" in lines


def test_readers_are_named_only_where_they_reported(rendered: Callable[[str], str]) -> None:
    assert "REPORTED BY READERS" not in rendered("good response")
    assert "Source: Leser^Lotte in 'MR rectum' of 2024-06-11" in rendered("four systems")
