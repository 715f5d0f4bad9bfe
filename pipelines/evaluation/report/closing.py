"""What every report ends with: hospitals and groups, what moved the models, who was left out, limits and methods."""

from __future__ import annotations

from pathlib import Path

from pipelines.evaluation.explained import MOST_PATIENTS
from pipelines.evaluation.groups import training_sites
from pipelines.evaluation.metrics import left_out
from pipelines.evaluation.report.content import Block, Picture, Section, Table, Words
from pipelines.evaluation.report.explanation_pictures import draw_beeswarm, draw_importance
from pipelines.evaluation.report.learnt import learnt_from, never_seen
from pipelines.evaluation.report.nomogram_picture import draw_nomogram
from pipelines.evaluation.report.shared_pictures import draw_groups
from pipelines.evaluation.report.wording import counted, interval, listed, number
from pipelines.evaluation.results import Results
from pipelines.explain.words import words_of

RESPONSE_INTERVALS = (
    "AUC by DeLong, on the logit scale, and its differences by DeLong's test; shares and F1 by Wilson; slope and "
    "intercept by Wald; predicted over observed log-normal; average precision, Brier score and the bands of clinical "
    "impact by bootstrap over patients; none of the decision curves and of ECE"
)
SURVIVAL_INTERVALS = (
    "C-indices, predicted over observed, Brier score, NRI, IDI and the bands of clinical impact by bootstrap over "
    "patients, as the AUC by a month, which is weighted for censoring (IPCW); slope by Wald of a Cox model; "
    "Kaplan–Meier curves and shares read off them by log(−log); none of the decision curves. No p-value is corrected "
    "for the number of comparisons"
)


def groups_section(results: Results, name: str, figures: Path) -> Section:
    """The default model by hospital and by group of patients. ``name``: of the first figure."""
    draw_groups(results.sites, name, figures / "sites.png")
    known = training_sites(results.judged)
    unseen = any(group.outside_training for group in results.sites.values())
    others = "; the others, in grey, training never saw" if unseen else ""
    where = f"It learnt from hospital {listed(list(known))}{others}. " if known else ""
    oracle = "Black marks: the oracle among the same patients." if results.judged.truth_known else ""
    model = results.judged.predicted.default
    strata: Block = Words(
        "Sex, age, therapy and stage are known of nobody who was judged: there are no groups of them."
    )
    if results.strata:
        draw_groups(results.strata, name, figures / "strata.png")
        strata = Picture("strata.png", f"{name} of {model} by group of patients. {oracle}".strip())
    return Section(
        "Hospitals and groups",
        (
            Picture("sites.png", f"{name} of {model} by hospital, with 95 % intervals. {where}{oracle}"),
            _table(results, name),
            strata,
        ),
    )


def _table(results: Results, name: str) -> Table:
    known, rows = results.judged.truth_known, []
    for site, group in results.sites.items():
        found, oracle = group.figures, group.figures.oracle
        shares = (
            number(oracle.expected if oracle else None),
            number(oracle.oracle_expected if oracle else None),
            number(oracle.ratio if oracle else None),
        )
        rows.append(
            (
                f"{site}, unseen in training" if group.outside_training else site,
                str(found.patients),
                str(found.events),
                interval(found.primary),
                *(shares if known else ()),
                interval(found.calibration.slope),
            )
        )
    best = ("averaged", "oracle", "share") if known else ()
    columns = ("hospital", "n", "events", f"{name} (95 % CI)", *best, "slope (95 % CI)")
    note = (
        "Averaged: the figure over all courses that these patients could have had; one course of few patients misleads."
    )
    events = "Events: over all of the follow-up. " if results.judged.survival else ""
    return Table(columns, tuple(rows), f"{events}{note if known else ''}".strip())


def explained_section(results: Results, figures: Path) -> tuple[Section, ...]:
    """Nothing where the bundle explains no model."""
    blocks: list[Block] = []
    if results.explained.example is not None:
        drawn, probability = results.explained.example
        draw_nomogram(drawn, figures / "nomogram.png")
        words = f"The nomogram, with the patient of median risk in orange ({100 * probability:.0f} % by 36 months)."
        blocks.append(Picture("nomogram.png", f"{words} Points of the axes add up to the total below."))
    for model, found in results.explained.shapley.items():
        if found.not_estimable:
            blocks.append(Words(f"{model}: not explained, because {found.not_estimable}."))
            continue
        stem = model.replace(" ", "_")
        draw_importance(found, model, figures / f"shap_bar_{stem}.png")
        draw_beeswarm(found, model, figures / f"shap_beeswarm_{stem}.png")
        order = ", ".join(words_of(name).name for name in found.names[:3])
        bar = f"{model}: mean absolute Shapley value of each input, exact, in {found.unit}; first come {order}."
        swarm = (
            f"{model}: one dot per patient, at most {MOST_PATIENTS} drawn at random; to the right the input raised the "
            "probability of the outcome. Related inputs share credit."
        )
        blocks.append(Picture(f"shap_bar_{stem}.png", bar, narrow=True))
        blocks.append(Picture(f"shap_beeswarm_{stem}.png", swarm, narrow=True))
    return (Section("How the models work", tuple(blocks)),) if blocks else ()


def left_out_section(results: Results) -> Section:
    """Who is in no figure, and why."""
    reasons = left_out(results.judged)
    rows = tuple((reason, str(count)) for reason, count in reasons.items())
    total = sum(reasons.values())
    words = (
        f"{counted(total, 'patient')} of {len(results.judged.cohort.patients)} are in no figure of the default model."
    )
    rule = "Nobody was left out for lying outside the training envelope, and no missing value was filled in."
    table = (Table(("reason", "patients"), rows),) if rows else ()
    return Section("Who was left out", (Words(f"{words} {rule}"), *table))


def limits_section(results: Results) -> Section:
    """What the bundle says of itself, and how the figures were had."""
    manifest, cohort = results.judged.bundle.manifest, results.judged.cohort
    rows = [
        ("Intended use", manifest.intended_use),
        ("Limits", manifest.limits),
        ("Inputs", "; ".join(manifest.inputs)),
        ("Trained on", f"{manifest.cohort}; cohort digest {manifest.cohort_digest[:16]}…"),
        *learnt_from(manifest),
        *((("Here, but not in training", strange),) if (strange := never_seen(results.judged)) else ()),
        ("Judged on", f"cohort digest {cohort.digest[:16]}…"),
        ("Bundle", f"{manifest.name} {manifest.version}, digest {results.judged.bundle.weights_digest}"),
        (
            "Thresholds",
            "fixed on the patients above; nothing was chosen, fitted or left out by the patients judged here",
        ),
        ("Intervals", f"95 %: {SURVIVAL_INTERVALS if results.judged.survival else RESPONSE_INTERVALS}"),
    ]
    if results.judged.truth_known:
        rows.append(
            (
                "Share of the oracle",
                "(figure − 0.5) / (oracle − 0.5), both averaged over all outcomes that these patients could have had: "
                "their true probabilities are known, and one draw of labels is off by about 0.05",
            )
        )
    return Section("Limits and methods", (Table(("", ""), tuple(rows)),))
