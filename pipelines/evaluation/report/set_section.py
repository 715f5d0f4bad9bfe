"""What a report says of prediction sets: how often they hold what came true, and how often they leave it open."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.evaluation.model_figures import ModelFigures
from pipelines.evaluation.report.content import Section, Table, Words
from pipelines.evaluation.report.wording import BRIEFLY, interval, listed, number, percent
from pipelines.evaluation.results import Results


def set_sections(results: Results, models: Sequence[ModelFigures]) -> tuple[Section, ...]:
    """Nothing where no model has sets."""
    default, truth_known = results.default, results.judged.truth_known
    rows = []
    for found in (found for found in models if found.sets is not None):
        sets = found.sets
        assert sets is not None  # as chosen
        rows.append(
            (
                found.prediction.model,
                interval(sets.covered),
                *((number(sets.expected),) if truth_known else ()),
                interval(sets.of_event),
                interval(sets.of_no_event),
                interval(sets.referred),
            )
        )
    if not rows:
        return ()
    having, survival = BRIEFLY[default.prediction.outcome], results.judged.survival
    promised = listed(sorted({percent(found.sets.promised) for found in models if found.sets is not None}))
    when = " by 36 months, of patients whose state is known then" if survival else ""
    words = (
        f"A set says which of the two remains possible for a patient: {having}{when}, its absence, or both. Both means "
        f"that the model leaves the decision to a person. Limits were found on training data, within each outcome, so "
        f"that {promised} of the sets hold what comes true."
    )
    averaged = ("on average",) if truth_known else ()
    columns = ("model", "held", *averaged, f"with {having}", "without it", "left open")
    note = "95 % intervals in brackets, exact binomial ones (Clopper–Pearson)."
    if truth_known:
        note += " On average: over all courses that these patients could have had, without the luck of one draw."
    strong = next((row for row, cells in enumerate(rows) if cells[0] == default.prediction.model), None)
    return (Section("How sure it is", (Words(words), Table(columns, tuple(rows), note, strong))),)
