"""What a report says of the masks that scoring networks draw themselves."""

from __future__ import annotations

from pipelines.contract import TimePoint
from pipelines.evaluation.report.content import Section, Table, Words
from pipelines.evaluation.report.wording import interval, number, percent
from pipelines.evaluation.results import Results

WHEN = {TimePoint.BASELINE: "before therapy", TimePoint.RESTAGING: "after therapy"}


def own_masks_sections(results: Results) -> tuple[Section, ...]:
    """Nothing where the networks draw no masks."""
    masks = results.own_masks.values()
    if not masks:
        return ()
    rows = tuple(
        (
            WHEN[found.time_point] if not found.network else f"{found.network}, {WHEN[found.time_point]}",
            str(found.exams),
            interval(found.mean),
            number(found.median),
            percent(found.missed, 1),
            number(found.segmenter),
        )
        for found in masks
    )
    words = (
        "The networks outline the tumour beside predicting, which makes them look at it; no score uses these masks. "
        "They are drawn in a small field that is already centred on the given outline, at its coarse resolution; the "
        "shipped segmenter, beside them, searches the whole image, and its figure is of patients held out of its "
        "training. The two figures are of different tasks and different patients."
    )
    columns = ("masks", "exams", "Dice, mean (95 % CI)", "median", "no overlap", "segmenter, mean")
    note = (
        "With the outlines that the exams were cut by. A reader against a reader: 0.75 before therapy, 0.36 after; an "
        "outline after therapy is weak truth."
    )
    return (Section("The networks' own masks", (Words(words), Table(columns, rows, note))),)
