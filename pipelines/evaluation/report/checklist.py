"""``tripod_ai.md``: the TRIPOD+AI checklist (G. S. Collins et al., BMJ 385 (2024) e078378), filled in where the program
knows the answer and marked where a person must give it.

The items are named in our own words; the published checklist is what counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.evaluation.groups import training_sites
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.metrics import coverage, left_out
from pipelines.evaluation.report.learnt import learnt_from, never_seen
from pipelines.evaluation.report.level import misjudged
from pipelines.evaluation.report.opening import events_words, figure_name, given_words
from pipelines.evaluation.report.study import PERSON, Hospitals, eligibility, objective
from pipelines.evaluation.report.wording import (
    DEATH,
    OUTCOMES,
    begun,
    information,
    interval,
    listed,
    number,
    percent,
    years,
)
from pipelines.evaluation.results import Results

Item = tuple[str, str, str]  # number, what is asked, answer
RESPONSE_MEASURES = (
    "AUC, average precision, shares at the threshold, calibration slope and intercept, predicted over observed, Brier "
    "score, clinical impact: with 95 % intervals; ECE and decision curves: without"
)
SURVIVAL_MEASURES = (
    "calibration slope, predicted over observed, Brier score, NRI, IDI, clinical impact: with 95 % intervals; decision "
    "curves: without"
)


def checklist(results: Results) -> str:
    """The whole checklist as Markdown."""
    return set_items(_items(results))


def set_items(items: Iterable[Item], scope: str = "") -> str:
    """Answered items as Markdown. ``scope``: what a reader must know of the checklist and this kind of model."""
    lines = [
        "# TRIPOD+AI checklist, partly filled",
        "Filled in by `restage evaluate` from the bundle, the cohort and the figures. What it cannot know is marked "
        f'"{PERSON.strip("*:")}". Read each answer before you send it anywhere.',
        *([scope] if scope else []),
        "| item | asked | answer |\n|---|---|---|\n" + "\n".join(f"| {' | '.join(_cells(item))} |" for item in items),
    ]
    return "\n\n".join(lines) + "\n"


def _cells(item: Item) -> Iterator[str]:
    """Nothing in a cell parts it."""
    return (" ".join(cell.split()).replace("|", "\\|") for cell in item)


def _items(results: Results) -> Iterator[Item]:
    yield from _front(results)
    yield from _data(results)
    yield from _methods(results)
    yield from open_science()
    yield from _results(results)
    yield from _discussion(results)


def _front(results: Results) -> Iterator[Item]:
    judged = results.judged
    m, outcome = judged.bundle.manifest, OUTCOMES[judged.default.outcome]
    yield (
        "1",
        "title: kind of study, population, outcome",
        f"Evaluation of {m.name} {m.version}: {outcome}, rectal cancer",
    )
    yield "2", "abstract", f"{PERSON} a structured abstract"
    yield "3a", "context and rationale", f"{PERSON} why the prediction is wanted, and what models there are"
    yield (
        "3b",
        "target population, purpose, users",
        f"{m.intended_use} {PERSON} where in the pathway, and who acts on it",
    )
    yield "3c", "known inequalities in health", f"{PERSON} what is known in this population"
    yield "4", "objectives", f"{_objective(judged)} Nothing was fitted here"


def _objective(judged: Judged) -> str:
    phantom = judged.bundle.manifest.phantom_trained
    hospitals = Hospitals(training_sites(judged), tuple(str(site) for site in judged.sites))
    return objective(hospitals, judged.trained_on_it, (phantom, judged.cohort.simulated))


def _data(results: Results) -> Iterator[Item]:
    judged = results.judged
    cohort, m = judged.cohort, judged.bundle.manifest
    source = (
        "`restage phantom`: simulated patients, of whom nobody exists" if cohort.simulated else f"{PERSON} the source"
    )
    yield "5a", "sources of the data", f"Training: {m.cohort}. Evaluation: {source}; digest {cohort.digest[:16]}…"
    yield "5b", "dates", "simulated" if cohort.simulated else f"{PERSON} accrual and end of follow-up"
    where = "" if cohort.simulated else f". {PERSON} where and of which level"
    yield "6a", "setting", f"{begun(given_words(results))}{where}"
    yield "6b", "eligibility", eligibility(m.system, judged.cohort)
    learnt = "; ".join(f"{name[0].lower()}{name[1:]}: {said}" for name, said in learnt_from(m)[1:])
    strange = f"; here, but not in training: {unseen}" if (unseen := never_seen(judged)) else ""
    here = "therapy per patient in cohort.csv, figures by therapy in tables/strata.csv"
    yield "6c", "treatments", f"{begun(learnt)}{strange}. Here: {here}"
    yield (
        "7",
        "preparation of the data",
        "the bundle's own, the same in training, evaluation and use; quality checks refuse exams",
    )


def _methods(results: Results) -> Iterator[Item]:
    judged, default = results.judged, results.judged.default
    m = judged.bundle.manifest
    when = f"from surgery; {DEATH[default.outcome]}" if judged.survival else "from the resected specimen"
    person = "" if judged.cohort.simulated else f" {PERSON} who assessed it, and blinded to what"
    yield "8a–c", "outcome and its assessment", f"{OUTCOMES[default.outcome]}, {when}.{person}"
    yield "9a–c", "predictors", f"{default.model} sees {information(default)}. Inputs: {'; '.join(m.inputs)}"
    size = f"{begun(events_words(results.default))}; all that there were"
    yield "10", "sample size", f"{size}. {PERSON} whether that is enough"
    yield (
        "11",
        "missing data",
        f"Nothing is filled in; {percent(coverage(judged, default))} have the inputs of {default.model}",
    )
    folds = "folds by patient" if "folds_sha256" in m.training else "as the bundle's manifest says"
    yield (
        "12a–c",
        "model building",
        f"Training: {folds}, seed {m.training.get('seed', 'not recorded')}; see the manifest",
    )
    yield "12d", "differences between places", "figures by hospital in tables/sites.csv"
    yield "12e", "measures of performance", _measures(judged)
    yield "12f", "updating", "none"
    yield "12g", "how predictions were calculated", "by the code that the node runs"
    yield "13", "class imbalance", "no resampling in the evaluation; probabilities are judged as they are"
    yield "14", "fairness", f"figures by sex, age, therapy and stage. {PERSON} what else matters here"
    cuts = listed([number(cut, 3) for cut in default.cuts])
    which = f"threshold {cuts}" if len(default.cuts) == 1 else f"thresholds {cuts}, one per subset of sequences,"
    yield "15", "output", f"probability; {which} fixed on training data"
    strange = f"; not in training: {unseen}" if (unseen := never_seen(judged)) else ""
    yield "16", "training against evaluation", f"share outside the training envelope: {_outside(judged)}{strange}"


def _measures(judged: Judged) -> str:
    if not judged.survival:
        return RESPONSE_MEASURES
    at = listed([word.removesuffix("s").removesuffix(" year") for word in years(judged.default.outcome)])
    return f"C-index (Harrell's and Uno's), AUC at {at} years, {SURVIVAL_MEASURES}"


def _outside(judged: Judged) -> str:
    covered = judged.default.covered
    return percent(float(judged.predicted.outside[covered].mean()) if covered.any() else None, 1)


def open_science() -> Iterator[Item]:
    """What the program knows of no study."""
    yield "17", "ethical approval", PERSON
    yield "18a–b", "funding, conflicts of interest", PERSON
    yield "18c–d", "protocol, registration", PERSON
    yield "18e", "data", f"{PERSON} who may have them"
    yield "18f", "code", "Restage, Apache License 2.0"
    yield "19", "patients and public", PERSON


def _results(results: Results) -> Iterator[Item]:
    judged, found = results.judged, results.default
    reasons = "; ".join(f"{reason}: {count}" for reason, count in left_out(judged).items()) or "nobody left out"
    yield (
        "20a",
        "flow of participants",
        f"{len(judged.cohort.patients)} in the cohort, {len(judged.patients)} given, {found.patients} judged; "
        f"{reasons}",
    )
    yield "20b", "characteristics", f"tables/strata.csv has counts and events. {PERSON} a table of the cohort"
    yield "20c", "comparison with the training data", f"trained on: {judged.bundle.manifest.cohort}. {PERSON} the rest"
    yield "21", "participants and events", begun(events_words(found))
    yield "22", "the model in full", f"the bundle, digest {judged.bundle.weights_digest}"
    name = figure_name(results)
    yield (
        "23a",
        "performance",
        f"{found.prediction.model}: {name} {interval(found.primary)}, predicted / observed "
        f"{interval(found.calibration.expected_observed)}; groups in tables/strata.csv",
    )
    yield "23b", "differences between places", "tables/sites.csv"
    yield "24", "updated model", "none"


def _discussion(results: Results) -> Iterator[Item]:
    unmet = "; ".join(f"not reached: {demand.missed}" for demand in results.unmet)
    level = misjudged(results.judged, results.default)
    said = f"{f'{unmet}. ' if unmet else ''}{f'{level} ' if level else ''}"
    yield "25", "interpretation", f"{said}{PERSON} what it means beside other studies"
    simulated = (
        "simulated patients show that the program works, not that it helps. " if results.judged.cohort.simulated else ""
    )
    yield "26", "limitations", f"{simulated}{results.judged.bundle.manifest.limits}"
    yield "27a", "poor or missing inputs", "a refusal with a reason, or a model for what is there; nothing is filled in"
    yield "27b", "who uses it, with what skill", "a radiologist reads mask, score and warnings together; research only"
    yield "27c", "next steps", PERSON
