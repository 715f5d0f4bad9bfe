"""What a report says of missing inputs: what each of them costs where it is hidden from a model."""

from __future__ import annotations

from pipelines.evaluation.report.content import Section, Table, Words
from pipelines.evaluation.report.wording import interval, number, p_value
from pipelines.evaluation.results import Results


def degraded_sections(results: Results, name: str) -> tuple[Section, ...]:
    """Nothing where no input was hidden from any model. ``name``: of the first figure."""
    if not results.degraded:
        return ()
    truth_known = results.judged.truth_known
    rows = []
    for lacking, found in results.degraded.items():
        averaged: tuple[str, ...] = ()
        if truth_known:
            before, after = found.expected or (None, None)
            change = None if before is None or after is None else after - before
            averaged = (number(change, 3),)
        rows.append(
            (
                lacking,
                str(found.patients),
                str(found.events),
                interval(found.whole),
                interval(found.without),
                interval(found.difference, 3),
                *averaged,
                p_value(found.difference.p_value),
            )
        )
    words = (
        "Inputs that patients have were hidden from the models, which then go the way they go for patients who lack "
        "them: nothing is filled in. Each row is of the same patients with and without."
    )
    averaged_column = ("on average",) if truth_known else ()
    columns = (
        "model",
        "without",
        "n (events)",
        f"{name} with",
        "without",
        "difference (95 % CI)",
        *averaged_column,
        "p",
    )
    test = "paired bootstrap" if results.judged.survival else "DeLong's test"
    note = f"95 % intervals in brackets. Difference: without minus with, by {test}; p is not corrected for the rows."
    if truth_known:
        note += " On average: the difference over all courses that these patients could have had."
    return (Section("What missing inputs cost", (Words(words), Table(columns, tuple(rows), note))),)
