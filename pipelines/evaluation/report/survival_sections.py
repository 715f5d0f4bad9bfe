"""What a report says of a predicted event in time: discrimination, risk groups, calibration, usefulness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.evaluation.compared import HIGH, LOW, RiskGroups
from pipelines.evaluation.report.content import Block, Picture, Section, Table, Words
from pipelines.evaluation.report.level import MEANS, OVER, mean_cell
from pipelines.evaluation.report.response_pictures import draw_decision
from pipelines.evaluation.report.set_section import set_sections
from pipelines.evaluation.report.survival_pictures import (
    draw_impact,
    draw_kaplan_meier,
    draw_roc_components,
    draw_survival_calibration,
    draw_time_roc,
)
from pipelines.evaluation.report.undrawn import undrawn
from pipelines.evaluation.report.wording import DEATH, NONE, interval, listed, number, p_value, sees, turned, years
from pipelines.evaluation.results import Results, Survived
from pipelines.evaluation.survival_figures import SurvivalFigures
from pipelines.phantom.probabilities import Outcome

ALONE = " True: if nobody died of another cause first, which is what 1 − Kaplan–Meier estimates."
OF_DEATHS = (
    "The 3-year oracle counts a death before as free of the event, the models' AUC as lost to follow-up, so the two "
    "are not quite of a kind. "
)
THRESHOLD = "dashed: the threshold fixed on training data"


def survival_sections(results: Results, figures: Path) -> tuple[Section, ...]:
    """Pictures are written to ``figures`` on the way."""
    headline = [found for found in results.headline if isinstance(found, SurvivalFigures)]
    survived, default = results.survived, results.default
    if survived is None or not isinstance(default, SurvivalFigures):
        return ()
    return (
        _discrimination(results, headline, figures),
        _risk_groups(survived, default, figures),
        *set_sections(results, headline),
        _calibration(results, headline, figures),
        _usefulness(results, figures),
    )


def _discrimination(results: Results, headline: Sequence[SurvivalFigures], figures: Path) -> Section:
    default = results.judged.predicted.default
    pictures: list[Block] = []
    for found in _with_images(results):
        file = f"time_roc_{found.prediction.model}.png"
        draw_time_roc(found, figures / file)
        caption = (
            f"{found.prediction.model}: ROC of who had the event by then against who was free of it, AUC (95 % CI)."
        )
        pictures.append(Picture(file, caption, narrow=True))
    words = (
        "The C-index is the share of pairs of patients in which the one with the earlier event had the higher "
        f"predicted risk. Month 0 is surgery; {DEATH[results.judged.default.outcome]}."
    )
    table = _table(headline, default, results.judged.truth_known)
    blocks = (Words(words), table, *pictures, _differences(results), _added(results))
    return Section("Discrimination", blocks)


def _with_images(results: Results) -> list[SurvivalFigures]:
    """The few models of pictures but the first, which knows the clinic alone, and but those that cover nobody."""
    return [found for found in results.few[1:] if isinstance(found, SurvivalFigures) and found.patients]


def _table(models: Sequence[SurvivalFigures], default: str, truth_known: bool) -> Table:
    best, at_36 = (("oracle", "share"), ("3-year oracle",)) if truth_known else ((), ())
    outcome = models[0].prediction.outcome
    first, *others = years(outcome)
    columns = ("model", "n", "C-index (95 % CI)", *best, f"AUC {first}", *others, *at_36)
    rows = []
    for found in models:
        oracle, area = found.oracle, found.oracle_auc
        shares = (number(oracle.oracle_expected if oracle else None), number(oracle.ratio if oracle else None))
        rows.append(
            (
                found.prediction.model,
                str(found.patients),
                interval(found.c_index),
                *(shares if truth_known else ()),
                *(number(at.auc.value) for at in found.rocs),
                *((number(area.oracle_expected if area else None),) if truth_known else ()),
            )
        )
    strong = next((row for row, found in enumerate(models) if found.prediction.model == default), None)
    oracle_words = (
        "Oracle: the same figure of the true probabilities on the same patients; share: of the way to it. "
        f"{OF_DEATHS if outcome is Outcome.METASTASIS else ''}"
    )
    note = (
        "Harrell's C with bootstrap limits; AUC at each year weighted for censoring. "
        f"{oracle_words if truth_known else ''}{sees([found.prediction for found in models])}. "
        "More: tables/models.csv."
    )
    return Table(columns, tuple(rows), note, strong)


def _differences(results: Results) -> Table:
    rows = tuple(
        (f"{pair.second} − {pair.first}", interval(turned(pair.difference), 3), p_value(pair.difference.p_value))
        for pair in results.comparisons
        if results.judged.predicted.default in (pair.first, pair.second)
    )
    note = (
        "C-indices of the same patients by the same bootstrap draws; p is not corrected for the number of comparisons. "
        "All pairs: tables/comparisons.csv."
    )
    return Table(("difference of C-index", "(95 % CI)", "p"), rows, note)


def _added(results: Results) -> Table:
    rows = []
    for pair in results.survived.added if results.survived else ():
        for name, net in (("NRI", pair.found.categorical.total), ("IDI", pair.found.idi.total)):
            rows.append((f"{name}, {pair.new} over {pair.old}", interval(net, 3), p_value(net.p_value)))
    note = (
        "By 36 months. NRI: net share moved to the right side of the threshold, with the event and without; "
        "IDI: gain in mean predicted risk of those with the event over those without. Censoring by Kaplan–Meier and "
        "inverse weights; p is not corrected for the number of comparisons."
    )
    return Table(("what one model adds", "(95 % CI)", "p"), tuple(rows), note)


def _risk_groups(survived: Survived, default: SurvivalFigures, figures: Path) -> Section:
    blocks: list[Block] = []
    if survived.groups:
        draw_kaplan_meier(survived.groups, figures / "kaplan_meier.png")
        whole = "High and low risk by the thresholds fixed on training data; bands: 95 %, below: patients at risk."
        blocks.append(Picture("kaplan_meier.png", whole))
    model = default.prediction.model
    if survived.strata:
        draw_kaplan_meier(survived.strata, figures / "kaplan_meier_strata.png")
        blocks += [
            Words(f"The same groups by {model} within patients who responded to therapy and who did not:"),
            Picture("kaplan_meier_strata.png", f"Risk groups by {model} within strata of response."),
            _strata(survived.strata),
        ]
    if survived.nobody:
        why = "nobody who was judged is known to be of them, from response, ypT and ypN in the cohort"
        blocks.append(Words(f"Not shown: {listed(list(survived.nobody))}; {why}."))
    return Section("Risk groups", tuple(blocks))


def _strata(strata: Sequence[RiskGroups]) -> Table:
    rows = []
    for group in strata:
        counts = group.counts()
        shown = [f"{counts[name][1]} of {counts[name][0]}" if name in counts else NONE for name in (HIGH, LOW)]
        rows.append((group.among, *shown, p_value(group.tested.p_value)))
    columns = ("among", "events, high risk", "events, low risk", "log-rank p")
    return Table(columns, tuple(rows), "Events over all of the follow-up; p is not corrected for the number of strata.")


def _calibration(results: Results, models: Sequence[SurvivalFigures], figures: Path) -> Section:
    default, few = results.default, _with_images(results)
    pictures = []
    for found in few:
        file = f"calibration_{found.prediction.model}.png"
        draw_survival_calibration(found, figures / file)
        words = "share with the event by 36 months over the predicted one, in fifths of predicted risk, 95 % intervals."
        pictures.append(Picture(file, f"{found.prediction.model}: {words}", narrow=True))
    truth_known = results.judged.truth_known
    true = ("predicted, true",) if truth_known else ()
    columns = ("model", "slope (95 % CI)", "predicted / observed (95 % CI)", *true, "Brier", "scaled Brier")
    rows = []
    for found in models:
        c = found.calibration
        beside = (mean_cell(found),) if truth_known else ()
        figures_shown = (interval(c.slope), interval(c.expected_observed), *beside)
        rows.append((found.prediction.model, *figures_shown, number(c.brier.value, 3), number(c.scaled_brier.value)))
    strong = next((row for row, found in enumerate(models) if found is default), None)
    alone = ALONE if default.prediction.outcome is Outcome.METASTASIS else ""
    note = (
        "Slope: Cox coefficient of the predicted log cumulative hazard; 1 is right, less is too extreme. Predicted "
        f"over observed: mean risk over 1 − Kaplan–Meier at 36 months; {OVER}."
        f"{MEANS + alone if truth_known else ''} Brier at 36 months, weighted for censoring."
    )
    table = Table(columns, tuple(rows), note, strong)
    return Section("Calibration", (*pictures, table))


def _usefulness(results: Results, figures: Path) -> Section:
    default, impact = results.judged.default, results.impact
    blocks: list[Block] = [*undrawn(results)]
    if not results.decision.curve.not_estimable:
        draw_decision(results.decision.curve, default.model, figures / "decision.png", standardised=True)
        net = "Standardised net benefit by 36 months, 1 being all that there is to gain"
        whom = f"on the {results.decision.patients} patients that all shown models cover"
        blocks.append(Picture("decision.png", f"{net}, {whom}.", narrow=True))
    if not impact.not_estimable:
        draw_roc_components(impact, default.cuts, figures / "roc_components.png")
        draw_impact(impact, default.cuts, figures / "impact.png")
        parts = f"{default.model}: share called high risk of those with the event and without; {THRESHOLD}."
        thousand = f"of 1000 such patients, called high risk, and of these with the event; {THRESHOLD}."
        blocks.append(Picture("roc_components.png", parts, narrow=True))
        blocks.append(Picture("impact.png", f"{default.model}: {thousand}", narrow=True))
    return Section("Usefulness", tuple(blocks))
