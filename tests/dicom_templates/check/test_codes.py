from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset

from dicom_templates.check.codes import check_codes
from dicom_templates.errors import ResultUnfit
from dicom_templates.kinds import Kind

ObjectsOf = Callable[[str], dict[Kind, Dataset]]


def test_every_code_of_every_object_is_published(objects_of: ObjectsOf) -> None:
    for dataset in objects_of("four systems").values():
        check_codes(dataset)


def test_our_own_scheme_must_be_identified(objects_of: ObjectsOf) -> None:
    report = objects_of("four systems")[Kind.REPORT]
    del report.CodingSchemeIdentificationSequence
    with pytest.raises(ResultUnfit, match="SR: it uses the coding scheme 99RESTAGE and does not identify it"):
        check_codes(report)


def test_codes_of_the_senders_own_are_not_looked_at(objects_of: ObjectsOf) -> None:
    report = objects_of("refused")[Kind.REPORT]
    issuer, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "X", "99SITE", "Anything"
    issuer.AssigningFacilitySequence = [code]
    report.IssuerOfPatientIDQualifiersSequence = [issuer]
    check_codes(report)
