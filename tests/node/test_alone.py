"""What the findings of a lone baseline say of the exam that is still to come."""

from __future__ import annotations

from node.alone import LATER, scored_alone
from pipelines.contract import Case, Code, Findings, Statement

NO_RESPONSE = Statement(Code.NO_RESTAGING, "signature_svm 0.2", "response needs the exam after therapy as well")
NO_MASK = Statement(Code.NO_MASK, "dlrs_nomogram 0.1", "the baseline exam has no tumour mask")
THICK = Statement(Code.SLICES_TOO_THICK, "baseline T2", "6 mm", warning=True)
FINDINGS = Findings(Case(None, None), (), (), refusals=(NO_RESPONSE, NO_MASK), warnings=(THICK,))


def test_response_is_said_to_come_and_other_refusals_stay_as_they_are() -> None:
    response, mask = scored_alone(FINDINGS, "").refusals
    assert (response.code, response.subject) == (NO_RESPONSE.code, NO_RESPONSE.subject)
    assert response.reason == LATER == "response is scored when the restaging exam arrives"
    assert mask == NO_MASK


def test_why_the_exam_is_taken_for_the_baseline_is_a_warning() -> None:
    thick, taken = scored_alone(FINDINGS, "the only exam here").warnings
    assert thick == THICK
    assert taken.warning
    assert taken.reason == "scored as the exam before therapy (the only exam here)"
