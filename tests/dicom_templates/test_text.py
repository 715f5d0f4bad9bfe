from __future__ import annotations

from collections.abc import Callable

import pytest

from dicom_templates.identity import Kind, ResultIdentity
from dicom_templates.results import build_results
from dicom_templates.text import report_text
from pipelines.contract import Findings

MakeFindings = Callable[..., Findings]
STORIES = ("good response", "refused", "withheld", "out of envelope", "single exam")


def rendered(findings: Findings, identity: ResultIdentity) -> str:
    return next(report_text(r.dataset) for r in build_results(findings, identity) if r.kind == Kind.REPORT)


@pytest.mark.parametrize("story", STORIES)
def test_no_line_is_wider_than_a_hundred_columns(
    make_findings: MakeFindings, identity: ResultIdentity, story: str
) -> None:
    text = rendered(make_findings(story), identity)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "RESEARCH USE ONLY" in text and "Muster^Erika" in text


def test_numbers_stand_in_a_row_under_their_exam(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    lines = rendered(make_findings(), identity).splitlines()
    assert next(line for line in lines if line.endswith("Change, %")).split() == [
        "Baseline",
        "Restaging",
        "Change,",
        "%",
    ]
    assert next(line for line in lines if line.startswith("Volume")).split()[-3:] == ["11.457", "3.051", "-73.4"]
    assert any("73.4 %   limits 61.2 to 82.9 %" in line for line in lines)


def test_a_report_without_numbers_says_so(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    text = rendered(make_findings("refused"), identity)
    assert "No tumour outline" in text and "[NO_DIFFUSION]" in text and "None; the reasons are below." in text
