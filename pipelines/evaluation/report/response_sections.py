"""What a report says of a predicted response: discrimination, calibration, usefulness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.evaluation.prediction import Prediction
from pipelines.evaluation.report.content import Block, Picture, Section, Table, Words
from pipelines.evaluation.report.level import MEANS, OVER, mean_cell
from pipelines.evaluation.report.response_pictures import draw_calibration, draw_decision, draw_roc, draw_spread
from pipelines.evaluation.report.set_section import set_sections
from pipelines.evaluation.report.shared_pictures import draw_models
from pipelines.evaluation.report.survival_pictures import draw_impact
from pipelines.evaluation.report.undrawn import undrawn
from pipelines.evaluation.report.wording import BRIEFLY, interval, number, p_value, sees, turned
from pipelines.evaluation.response_figures import ResponseFigures
from pipelines.evaluation.results import Results

FEWEST_TO_DRAW = 4  # more models than the headline's get a picture of their own


def response_sections(results: Results, figures: Path) -> tuple[Section, ...]:
    """Pictures are written to ``figures`` on the way."""
    headline = [found for found in results.headline if isinstance(found, ResponseFigures)]
    every = [found for found in results.models.values() if isinstance(found, ResponseFigures)]
    return (
        _discrimination(results, headline, every, figures),
        *_categories(headline),
        *set_sections(results, headline),
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
    names = (f"with {BRIEFLY[default.outcome]}", "without it")
    draw_spread(default.probability[rows], event, names, (default.model, default.cuts, figures / "spread.png"))
    dots = "ROC curves with AUC; dots: at the thresholds fixed on training data, each patient's own."
    spread = f"Probability by {default.model} in both groups; dashed: {_thresholds(default)}."
    blocks: list[Block] = [
        _table(headline, default.model, judged.truth_known),
        Picture("roc.png", dots, narrow=True),
        Picture("spread.png", spread, narrow=True),
        _differences(results),
    ]
    if len(every) >= len(headline) + FEWEST_TO_DRAW:
        ranked = sorted(every, key=lambda found: -(found.auc.value or 0.0))
        draw_models(judged.predicted.system, ranked, "AUC", figures / "all_models.png")
        words = f"All {len(every)} models of the bundle, each on the patients that it has the inputs for, best first."
        oracle = " Black marks: the oracle of the same information." if judged.truth_known else ""
        blocks.append(Picture("all_models.png", f"{words}{oracle}"))
    return Section("Discrimination", tuple(blocks))


def _thresholds(prediction: Prediction) -> str:
    return "its threshold" if len(prediction.cuts) == 1 else "its thresholds, one per subset of sequences"


def _table(models: Sequence[ResponseFigures], default: str, truth_known: bool) -> Table:
    best = ("oracle", "share") if truth_known else ()
    columns = ("model", "n", "AUC (95 % CI)", *best, "accuracy", "sensitivity", "specificity", "F1")
    rows = []
    for found in models:
        at, oracle = found.at_threshold, found.oracle
        shares = (number(oracle.oracle_expected if oracle else None), number(oracle.ratio if oracle else None))
        rows.append(
            (
                found.prediction.model,
                str(found.patients),
                interval(found.auc),
                *(shares if truth_known else ()),
                *(number(figure.value) for figure in (at.accuracy, at.sensitivity, at.specificity, at.f1)),
            )
        )
    strong = next((row for row, found in enumerate(models) if found.prediction.model == default), None)
    oracle_words = (
        "Oracle: AUC of the true probabilities given what the model sees, on the same patients; share: of the way from "
        "chance to it. "
    )
    note = (
        f"AUC with DeLong's interval. {oracle_words if truth_known else ''}Accuracy and what follows: each patient at "
        f"the threshold, fixed on training data, of the subset of sequences that the patient has. "
        f"{sees([found.prediction for found in models])}. Every model, and Wilson's limits: tables/models.csv."
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


def _categories(models: Sequence[ResponseFigures]) -> tuple[Section, ...]:
    """What the node calls the patients; nothing where that was not asked."""
    rows = [
        (one.name, str(one.patients), str(one.events), interval(one.share), number(one.predicted))
        for found in models
        for one in found.categories
    ]
    if not rows:
        return ()
    words = (
        "Low, moderate and high are parted by the two cut-offs of each machine, fixed on training data. Uncertain: the "
        "interval reaches from low to high, or the patient lies outside the training envelope."
    )
    having = f"with {BRIEFLY[models[0].prediction.outcome]}"
    columns = ("category", "patients", having, "share (95 % CI)", "mean predicted")
    note = "Of every patient whom the node scores, by the model that it uses; limits by Wilson. tables/categories.csv."
    return (Section("What the node shows", (Words(words), Table(columns, tuple(rows), note))),)


def _calibration(results: Results, models: Sequence[ResponseFigures], figures: Path) -> Section:
    default = results.default
    blocks: list[Block] = []
    for found in (one for one in results.few[-2:] if isinstance(one, ResponseFigures) and one.patients):
        model, rows = found.prediction.model, results.judged.judgeable(found.prediction)
        draw_calibration(found, found.prediction.probability[rows], figures / f"calibration_{model}.png")
        caption = (
            f"{model}: observed share with {BRIEFLY[found.prediction.outcome]} over the predicted one, tenths of the "
            "patients with 95 % intervals and a smooth curve through all of them; below, how the predictions fall."
        )
        blocks.append(Picture(f"calibration_{model}.png", caption, narrow=True))
    columns = (
        "model",
        "slope (95 % CI)",
        "intercept (95 % CI)",
        "predicted / observed (95 % CI)",
        *(("predicted, true",) if results.judged.truth_known else ()),
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
                *((mean_cell(found),) if results.judged.truth_known else ()),
                number(c.brier.value, 3),
                number(c.scaled_brier.value),
                number(c.expected_error.value, 3),
            )
        )
    strong = next((row for row, found in enumerate(models) if found is default), None)
    note = (
        "Slope 1 and intercept 0 are right; a slope under 1 means predictions too extreme. Predicted over observed: "
        f"{OVER}.{MEANS if results.judged.truth_known else ''} Scaled Brier: 1 is perfect, 0 no better than the mean. "
        "ECE: mean gap over ten bins of equal width, without limits; chance within bins adds to it."
    )
    return Section("Calibration", (*blocks, Table(columns, tuple(table), note, strong)))


def _usefulness(results: Results, figures: Path) -> Section:
    words = (
        "Net benefit counts true positives less false ones, weighed by the threshold at which a person would act; the "
        "curve that is highest at a threshold serves best there."
    )
    default = results.judged.default
    blocks: list[Block] = [*undrawn(results)]
    if not results.decision.curve.not_estimable:
        draw_decision(results.decision.curve, default.model, figures / "decision.png")
        shown = f"Decision curves on the {results.decision.patients} patients that all shown models cover."
        blocks.append(Picture("decision.png", shown, narrow=True))
    if not results.impact.not_estimable:
        having = BRIEFLY[default.outcome]
        names = (f"called {having}", "of these with it")
        draw_impact(results.impact, default.cuts, figures / "impact.png", names)
        thousand = f"of 1000 such patients, predicted to have a {having}, and of these those who have it"
        blocks.append(
            Picture("impact.png", f"{default.model}: {thousand}; dashed: {_thresholds(default)}.", narrow=True)
        )
    return Section("Usefulness", (Words(words), *blocks))
