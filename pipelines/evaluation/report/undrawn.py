"""Which curves of usefulness a report lacks, and why: decision curves and clinical impact each for itself."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.evaluation.report.content import Words
from pipelines.evaluation.report.wording import listed
from pipelines.evaluation.results import Results


def undrawn(results: Results) -> Iterator[Words]:
    """A sentence for each curve that is not there."""
    decision, impact, default = results.decision, results.impact, results.judged.predicted.default
    if decision.curve.not_estimable:
        yield Words(f"Decision curves: not estimable, because {decision.curve.not_estimable}.")
    elif decision.without:
        names = listed(list(decision.without))
        yield Words(f"Without a decision curve: {names}, for want of patients whom {default} covers too.")
    if impact.not_estimable:
        yield Words(f"Clinical impact of {default}: not estimable, because {impact.not_estimable}.")
