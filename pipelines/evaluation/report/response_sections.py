"""What a report says of a predicted response: discrimination, calibration, usefulness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.evaluation.report.content import Block, Picture, Section, Table, Words
from pipelines.evaluation.report.response_pictures import draw_calibration, draw_decision, draw_roc, draw_spread
from pipelines.evaluation.report.shared_pictures import draw_models
from pipelines.evaluation.report.survival_pictures import draw_impact
from pipelines.evaluation.report.wording import SHOWN, interval, number, p_value, turned
from pipelines.evaluation.response_figures import ResponseFigures
from pipelines.evaluation.results import Results

FEWEST_TO_DRAW = 4  # more models than the headline's get a picture of their own


def response_sections(results: Results, figures: Path) -> tuple[Section, ...]:
    """Pictures are written to ``figures`` on the way."""
    headline = [found for found in results.headline if isinstance(found, ResponseFigures)]
    every = [found for found in results.models.values() if isinstance(found, ResponseFigures)]
    return (
        _discrimination(results, headline, every, figures),
        _calibration(results, headline, figures),
        _usefulness(results, figures),
    )


def _discrimination(
    results: Results, headline: Sequence[ResponseFigures], every: Sequence[ResponseFigures], figures: Path
) -> Section:
    judged, default = results.judged, results.judged.default
    draw_roc(judged, headline, figures / "roc.png")
    rows = judged.judgeable(default)
    event = judged.responded(default.outcome)[rows] == 1
    names = ("with the response", "without it")
    draw_spread(default.probability[rows], event, names, (default.model, default.threshold, figures / "spread.png"))
    blocks: list[Block] = [
        _table(headline, default.model),
        Picture("roc.png", "ROC curves with AUC; dots: the threshold fixed on training data.", narrow=True),
        Picture("spread.png", f"Probability by {default.model} in both groups; dashed: its threshold.", narrow=True),
        _differences(results),
    ]
    if len(every) >= len(headline) + FEWEST_TO_DRAW:
        ranked = sorted(every, key=lambda found: -(found.auc.value or 0.0))
        draw_models(judged.predicted.system, ranked, "AUC", figures / "all_models.png")
        words = f"All {len(every)} models of the bundle, each on the patients that it has the inputs for, best first."
        blocks.append(Picture("all_models.png", f"{words} Black marks: the oracle of the same information."))
    return Section("Discrimination", tuple(blocks))


def _table(models: Sequence[ResponseFigures], default: str) -> Table:
    columns = ("model", "n", "AUC (95 % CI)", "oracle", "share", "accuracy", "sensitivity", "specificity", "F1")
    rows = []
    for found in models:
        at, oracle = found.at_threshold, found.oracle
        rows.append(
            (
                found.prediction.model,
                str(found.patients),
                interval(found.auc),
                number(oracle.oracle_expected if oracle else None),
                number(oracle.ratio if oracle else None),
                *(number(figure.value) for figure in (at.accuracy, at.sensitivity, at.specificity, at.f1)),
            )
        )
    strong = next((row for row, found in enumerate(models) if found.prediction.model == default), None)
    seen = "; ".join(f"{found.prediction.model} sees {SHOWN[found.prediction.shown]}" for found in models)
    note = (
        f"AUC with DeLong's interval. Oracle: AUC of the true probabilities given what the model sees, on the same "
        f"patients; share: of the way from chance to it. Accuracy and what follows at the threshold fixed on training "
        f"data. {seen}. Every model, and Wilson's limits: tables/models.csv."
    )
    return Table(columns, tuple(rows), note, strong)


def _differences(results: Results) -> Table:
    names = {found.prediction.model for found in results.headline}
    rows = tuple(
        (
            f"{pair.second} − {pair.first}",
            interval(turned(pair.difference), 3),
            p_value(pair.difference.p_value),
            p_value(pair.holm),
        )
        for pair in results.comparisons
        if pair.first in names and pair.second in names
    )
    note = (
        f"DeLong's test of AUCs of the same patients. Holm: corrected for all {len(results.comparisons)} pairs of "
        "models (tables/comparisons.csv)."
    )
    return Table(("difference of AUC", "(95 % CI)", "p", "p, Holm"), rows, note)


def _calibration(results: Results, models: Sequence[ResponseFigures], figures: Path) -> Section:
    default = results.default
    blocks: list[Block] = []
    for found in (one for one in results.few[-2:] if isinstance(one, ResponseFigures)):
        model, rows = found.prediction.model, results.judged.judgeable(found.prediction)
        draw_calibration(found, found.prediction.probability[rows], figures / f"calibration_{model}.png")
        caption = (
            f"{model}: observed share of responders over the predicted one, tenths of the patients with 95 % intervals "
            "and a smooth curve through all of them; below, how the predictions fall."
        )
        blocks.append(Picture(f"calibration_{model}.png", caption, narrow=True))
    columns = (
        "model",
        "slope (95 % CI)",
        "intercept (95 % CI)",
        "predicted / observed",
        "Brier",
        "scaled Brier",
        "ECE",
    )
    table = []
    for found in models:
        c = found.calibration
        table.append(
            (
                found.prediction.model,
                interval(c.slope),
                interval(c.intercept),
                interval(c.expected_observed),
                number(c.brier.value, 3),
                number(c.scaled_brier.value),
                number(c.expected_error.value, 3),
            )
        )
    strong = next((row for row, found in enumerate(models) if found is default), None)
    note = (
        "Slope 1 and intercept 0 are right; a slope under 1 means predictions too extreme. Scaled Brier: 1 is perfect, "
        "0 no better than the mean. ECE: mean gap over ten bins of equal width; chance within bins adds to it."
    )
    return Section("Calibration", (*blocks, Table(columns, tuple(table), note, strong)))


def _usefulness(results: Results, figures: Path) -> Section:
    words = (
        "Net benefit counts true positives less false ones, weighed by the threshold at which a person would act; the "
        "curve that is highest at a threshold serves best there."
    )
    if results.decision.not_estimable:
        return Section("Usefulness", (Words(f"Not estimable: {results.decision.not_estimable}."),))
    default = results.judged.default
    draw_decision(results.decision, default.model, figures / "decision.png")
    pictures = [Picture("decision.png", "Decision curves on the patients that all shown models cover.", narrow=True)]
    if not results.impact.not_estimable:
        draw_impact(
            results.impact, default.threshold, figures / "impact.png", ("called responders", "of these responding")
        )
        thousand = "of 1000 such patients, called responders, and of these responding; dashed: the threshold."
        caption = f"{default.model}: {thousand}"
        pictures.append(Picture("impact.png", caption, narrow=True))
    return Section("Usefulness", (Words(words), *pictures))
