"""What every report ends with: hospitals and groups, what moved the models, who was left out, limits and methods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.evaluation.groups import GroupFigures, training_sites
from pipelines.evaluation.metrics import left_out
from pipelines.evaluation.report.content import Block, Picture, Section, Table, Words
from pipelines.evaluation.report.explanation_pictures import draw_beeswarm, draw_importance
from pipelines.evaluation.report.nomogram_picture import draw_nomogram
from pipelines.evaluation.report.shared_pictures import draw_groups
from pipelines.evaluation.report.wording import counted, interval, listed, number
from pipelines.evaluation.results import Results


def groups_section(results: Results, name: str, figures: Path) -> Section:
    """The default model by hospital and by group of patients. ``name``: of the first figure."""
    draw_groups(results.sites, name, figures / "sites.png")
    draw_groups(results.strata, name, figures / "strata.png")
    known = training_sites(results.judged)
    where = f"It learnt from hospital {listed(list(known))}; the others, in grey, training never saw. " if known else ""
    oracle = "Black marks: the oracle among the same patients." if results.judged.cohort.simulated else ""
    model = results.judged.predicted.default
    return Section(
        "Hospitals and groups",
        (
            Picture("sites.png", f"{name} of {model} by hospital, with 95 % intervals. {where}{oracle}"),
            _table(results.sites, name),
            Picture("strata.png", f"{name} of {model} by group of patients. {oracle}".strip()),
        ),
    )


def _table(groups: Mapping[str, GroupFigures], name: str) -> Table:
    rows = []
    for site, group in groups.items():
        found, oracle = group.figures, group.figures.oracle
        rows.append(
            (
                f"{site}, unseen in training" if group.outside_training else site,
                str(found.patients),
                str(found.events),
                interval(found.primary),
                number(oracle.expected if oracle else None),
                number(oracle.oracle_expected if oracle else None),
                number(oracle.ratio if oracle else None),
                interval(found.calibration.slope),
            )
        )
    columns = ("hospital", "n", "events", f"{name} (95 % CI)", "averaged", "oracle", "share", "slope (95 % CI)")
    note = (
        "Averaged: the figure over all courses that these patients could have had; one course of few patients misleads."
    )
    return Table(columns, tuple(rows), note if any(g.figures.oracle for g in groups.values()) else "")


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
        order = ", ".join(found.names[:3])
        how = "all subsets of inputs" if found.exact else "sampled orders of inputs"
        bar = f"{model}: mean absolute Shapley value of each input ({how}); first come {order}."
        swarm = (
            f"{model}: one dot per patient; to the right the input raised the probability. Related inputs share credit."
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
        ("Judged on", f"cohort digest {cohort.digest[:16]}…"),
        ("Bundle", f"{manifest.name} {manifest.version}, digest {results.judged.bundle.weights_digest}"),
        ("Thresholds", "fixed on training data; nothing was chosen, fitted or left out by the patients judged here"),
        ("Intervals", "95 %: AUC by DeLong, shares by Wilson, slopes by Wald, the rest by bootstrap over patients"),
    ]
    if cohort.simulated:
        rows.append(
            (
                "Share of the oracle",
                "(figure − 0.5) / (oracle − 0.5), both averaged over all outcomes that these patients could have had: "
                "their true probabilities are known, and one draw of labels is off by about 0.05",
            )
        )
    return Section("Limits and methods", (Table(("", ""), tuple(rows)),))
