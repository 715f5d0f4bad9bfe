"""Model card and reporting checklist of a segmenter: what it is, on whom it was judged, what it reached, what nobody
knows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pipelines.bundle import Bundle
from pipelines.cohort.cohort import Cohort
from pipelines.contract import TimePoint
from pipelines.evaluation.judged import UNSTATED
from pipelines.evaluation.report.checklist import Item, open_science, set_items
from pipelines.evaluation.report.learnt import learnt_from
from pipelines.evaluation.report.model_card import set_list
from pipelines.evaluation.report.opening import MET, SYSTEMS, origin
from pipelines.evaluation.report.study import PERSON, Hospitals, eligibility, objective
from pipelines.evaluation.report.wording import counted, listed, written
from pipelines.evaluation.segmenter import WHOLE

WHEN = {str(TimePoint.BASELINE): "before therapy", str(TimePoint.RESTAGING): "after therapy"}
PARTS = {"before": "before therapy", "after": "after therapy"}
"""How ``metrics.json`` of a segmenter names the time points."""
FIGURES = {"dice_mean": "Dice, mean", "found_share": "found", "hausdorff95_mm_of_found": "HD95 of those found, mm"}
SCOPE = (
    "TRIPOD+AI is made for models that predict. A segmenter outlines: items that have no answer for it are left out, "
    "and a study of one is best reported by CLAIM as well (J. Mongan et al., Radiology: Artificial Intelligence 2 "
    "(2020) e200029)."
)


def segmenter_card(bundle: Bundle, cohort: Cohort, metrics: Mapping[str, Any]) -> str:
    """The whole card as Markdown. ``metrics``: as ``metrics.json`` holds them."""
    m = bundle.manifest
    flatters = ["**These are the patients it learnt from: the figures flatter it.**"]
    parts = [
        f"# {SYSTEMS.get(m.system, m.system)}: {m.name} {m.version}",
        f"**{origin(m.phantom_trained, cohort.simulated)}**",
        "## Model",
        set_list(
            ("System", m.system),
            ("Outlines", m.outcome),
            ("Weights", f"SHA-256 {bundle.weights_digest}"),
            ("Inputs", "; ".join(m.inputs)),
        ),
        "## Intended use",
        m.intended_use,
        f"Limits: {m.limits}",
        "## Trained on",
        set_list(("Cohort", m.cohort), ("Cohort digest", m.cohort_digest), *learnt_from(m)),
        f"## {given_words(metrics)}",
        *(flatters if metrics["cohort"]["trained_on"] else []),
        _figures(metrics),
        "\n".join(f"- {d['name']}: {d['found']} ({MET[d['met']]})" for d in metrics["demands"]),
        "## Who was left out",
        set_list(*((reason, str(count)) for reason, count in metrics["left_out"].items())) or "Nobody.",
        "## Not known",
        "Whether its outlines help a reader; how they are on other scanners and after other therapies than those "
        "above; and how right an outline after therapy can be: two readers agree poorly there.",
    ]
    return "\n\n".join(parts) + "\n"


def given_words(metrics: Mapping[str, Any]) -> str:
    """ "Given 568 patients (200 of hospital A, …), judged on 540 exams before therapy and 530 after therapy"."""
    cohort = metrics["cohort"]
    named = [
        f"{count} of a hospital that is {site}" if site == UNSTATED else f"{count} of hospital {site}"
        for site, count in cohort["sites"].items()
    ]
    kind = "simulated patient" if cohort["simulated"] else "patient"
    exams = [f"{counted(_exams(metrics, part), 'exam')} {words}" for part, words in PARTS.items()]
    return f"Given {counted(sum(cohort['sites'].values()), kind)} ({listed(named)}), judged on {listed(exams)}"


def _exams(metrics: Mapping[str, Any], part: str) -> int:
    return int(metrics[part].get(WHOLE, {}).get("exams", 0))


def _figures(metrics: Mapping[str, Any]) -> str:
    columns = ("exams", "hospital", "n", *(f"{words} (95 % CI)" for words in FIGURES.values()))
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for part, words in PARTS.items():
        for site, summary in metrics[part].items():
            cells = (words, site, str(summary["exams"]), *(written(summary[name]) for name in FIGURES))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def segmenter_checklist(bundle: Bundle, cohort: Cohort, metrics: Mapping[str, Any]) -> str:
    """The items of TRIPOD+AI that a segmenter can answer, as Markdown."""
    return set_items(_items(bundle, cohort, metrics), SCOPE)


def _items(bundle: Bundle, cohort: Cohort, metrics: Mapping[str, Any]) -> Iterator[Item]:
    m = bundle.manifest
    yield "1", "title: kind of study, population, outcome", f"Evaluation of {m.name} {m.version}: {m.outcome}"
    yield "2", "abstract", f"{PERSON} a structured abstract"
    yield "3a", "context and rationale", f"{PERSON} why the outline is wanted, and what methods there are"
    yield "3b", "target population, purpose, users", f"{m.intended_use} {PERSON} where in the pathway"
    yield "4", "objectives", f"{_objective(m.training.get('sites', ()), metrics)} Nothing was fitted here"
    source = "`restage phantom`: simulated patients" if cohort.simulated else f"{PERSON} the source"
    yield "5a", "sources of the data", f"Training: {m.cohort}. Evaluation: {source}; digest {cohort.digest[:16]}…"
    yield "6a", "setting", given_words(metrics)
    yield "6b", "eligibility", eligibility(m.system, cohort)
    learnt = "; ".join(f"{name}: {said}" for name, said in learnt_from(m)[1:])
    yield "6c", "treatments", f"{learnt}. Here: therapy per patient in cohort.csv"
    yield "7", "preparation of the data", "the bundle's own, the same in training, evaluation and use"
    truth = "the planted tumour" if cohort.simulated else f"a reader's outline. {PERSON} how many readers, how trained"
    yield "8a–c", "outcome and its assessment", f"what is compared with: {truth}"
    yield "10", "sample size", f"{given_words(metrics)}; all that there were. {PERSON} whether that is enough"
    yield "11", "missing data", "nothing is filled in: an exam that cannot be prepared is left out and counted"
    yield "12d", "differences between places", "figures by hospital in tables/sites.csv"
    measures = "Dice, share found, volume bias and HD95 of those found: with 95 % intervals, bootstrap over patients"
    yield "12e", "measures of performance", measures
    yield "14", "fairness", f"figures by hospital alone. {PERSON} what else matters here"
    yield "15", "output", "a mask on the axial T2; a tumour that was not found counts with Dice 0"
    yield from open_science()
    reasons = "; ".join(f"{reason}: {count}" for reason, count in metrics["left_out"].items()) or "nobody left out"
    excluded = metrics["cohort"]["excluded"]
    yield "20a", "flow of participants", f"{given_words(metrics)}; {excluded} excluded by the cohort's owner; {reasons}"
    yield "22", "the model in full", f"the bundle, digest {bundle.weights_digest}"
    whole = [f"{words} {written(metrics[part].get(WHOLE, {}).get('dice_mean'))}" for part, words in PARTS.items()]
    yield "23a", "performance", f"mean Dice {', '.join(whole)}"
    yield "23b", "differences between places", "tables/sites.csv"
    unmet = [f"not reached: {d['name']} ({d['found']}). " for d in metrics["demands"] if d["met"] is False]
    yield "25", "interpretation", f"{''.join(unmet)}{PERSON} what it means beside other studies"
    yield "26", "limitations", m.limits
    yield "27c", "next steps", PERSON


def _objective(known: Collection[str], metrics: Mapping[str, Any]) -> str:
    cohort = metrics["cohort"]
    simulated = (bool(metrics["bundle"]["phantom_trained"]), bool(cohort["simulated"]))
    return objective(Hospitals(tuple(known), tuple(cohort["sites"])), bool(cohort["trained_on"]), simulated)
