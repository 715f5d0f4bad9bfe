from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from dicom_templates.errors import TemplateError
from dicom_templates.identity import ResultIdentity
from dicom_templates.report.tumour import tumour_group
from pipelines.contract import Case, Findings
from tests.dicom_templates.made_report import built, codes_in, groups, name, numbers, texts

MakeFindings = Callable[..., Findings]


@pytest.fixture(scope="module")
def four(make_findings: MakeFindings, identity: ResultIdentity) -> Dataset:
    return built(make_findings("four systems"), identity)


def test_each_exam_has_a_group_with_its_numbers(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    restaging, baseline = groups(built(make_findings(), identity), "1411")
    assert numbers(baseline) == {
        "Maximum 3D Diameter of a Mesh": (41.0, "mm"),
        "Volume": (11.5, "cm3"),
        "Apparent Diffusion Coefficient": (1010.0, "10-6.mm2/s"),
    }
    assert numbers(restaging) == {
        "Maximum 3D Diameter of a Mesh": (25.0, "mm"),
        "Volume": (3.1, "cm3"),
        "Apparent Diffusion Coefficient": (1390.0, "10-6.mm2/s"),
        "Change of longest diameter from baseline": (-40.0, "%"),
        "Change of volume from baseline": (-73.0, "%"),
        "Change of mean ADC from baseline": (38.0, "%"),
    }


def test_the_sentence_has_size_before_signal_each_with_its_change(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    restaging, _ = groups(built(make_findings(), identity), "1411")
    assert restaging.ContentSequence[0].TextValue == (
        "Restaging MR of 2024-06-10. Longest diameter: 25 mm, −40 % from baseline. Volume: 3.1 cm³, −73 % from "
        "baseline. Mean ADC: 1390 ×10⁻⁶ mm²/s, +38 % from baseline. Tumour outlined by a reader (Dr. Leser). SEG 'GTV' "
        "of 2024-06-11, on the T2 grid already. How measured: longest diameter: largest distance; volume: voxel count; "
        "mean ADC: mean, b 50, 400, 800, log-linear fit."
    )


def test_what_a_reader_reported_keeps_its_digits_and_names_its_source(four: Dataset) -> None:
    restaging, baseline = (group for group in groups(four, "1501") if "as reported" in texts(group))
    assert numbers(baseline) == {
        "Length": (38.5, "mm"),
        "Distance from anus": (62.0, "mm"),
        "Maximum wall thickness at the tumour": (14.0, "mm"),
        "Shortest distance of tumour to mesorectal fascia": (0.8, "mm"),
    }
    coded = codes_in(restaging)
    assert coded["T stage on MRI"] == "T stage T2 on MRI"
    assert coded["Involvement of the mesorectal fascia"] == "Mesorectal fascia not involved (MRF negative)"
    assert coded["Extramural vascular invasion"] == "No extramural vascular invasion (EMVI negative)"
    assert coded["N stage on MRI"] == "N stage N0 on MRI"
    assert "Leser^Lotte in 'MR rectum' of 2024-06-11, verified by Leser^Lotte" in texts(restaging)
    uids = {name(item): item.UID for item in restaging.ContentSequence if item.ValueType == "UIDREF"}
    assert uids["Reported in"] == "1.2.826.0.1.999.2.9"
    assert "Reported as" not in [name(item) for item in restaging.ContentSequence]
    assert "T stage T3c on MRI: coded in TID 1501." in texts(baseline)


def test_what_readers_reported_is_about_the_same_tumour(four: Dataset) -> None:
    reported = [group for group in groups(four, "1501") if "as reported" in texts(group)]
    uids = {
        str(item.UID)
        for group in (*groups(four, "1411"), *reported)
        for item in group.ContentSequence
        if name(item) == "Tracking Unique Identifier"
    }
    assert len(uids) == 1


def test_two_readers_have_a_group_each(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    findings = make_findings("four systems")
    exam = findings.case.restaging
    assert exam is not None
    second = replace(exam.clinical[0], origin="Zweit^Zoe in 'MR rectum' of 2024-06-12", source_sop_uid="1.2.3.4")
    case = Case(None, replace(exam, clinical=(*exam.clinical, second)))
    report = built(replace(findings, case=case, scores=()), identity)
    first, other = groups(report, "1501")
    assert "Zweit^Zoe" not in texts(first)
    assert "Zweit^Zoe" in texts(other)
    assert codes_in(other)["N stage on MRI"] == "N stage N0 on MRI"


def test_an_exam_without_a_mask_has_no_group(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    findings = make_findings("refused")
    exam = findings.case.restaging
    assert exam is not None
    with pytest.raises(TemplateError, match="restaging exam has no tumour mask"):
        tumour_group(exam, findings, None, identity)
    assert groups(built(findings, identity), "1411") == []
