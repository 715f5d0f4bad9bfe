"""A baseline that is scored by itself while its restaging exam is awaited: what its findings say of that."""

from __future__ import annotations

from dataclasses import replace

from pipelines.contract import Code, Findings, Statement, TimePoint

LATER = "response is scored when the restaging exam arrives"


def scored_alone(findings: Findings, taken: str) -> Findings:
    """The findings of a lone baseline, with a warning that says why it is taken for one (``taken``).

    What needs the restaging exam is not missing but to come.
    """
    warning = Statement(
        Code.NO_RESTAGING, f"{TimePoint.BASELINE} exam", f"scored as the exam before therapy ({taken})", warning=True
    )
    return replace(
        findings,
        refusals=tuple(
            replace(one, reason=LATER) if one.code is Code.NO_RESTAGING else one for one in findings.refusals
        ),
        warnings=(*findings.warnings, warning),
    )
