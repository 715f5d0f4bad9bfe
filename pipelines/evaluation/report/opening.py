"""How a report opens: on whom the model learnt, what must not be overlooked, the main figure beside the oracle."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pipelines.evaluation.demands import Demand
from pipelines.evaluation.judged import UNSTATED, Judged
from pipelines.evaluation.metrics import coverage, outside
from pipelines.evaluation.model_figures import ModelFigures
from pipelines.evaluation.references import Published, published
from pipelines.evaluation.report.content import Block, Figure, Figures, Picture, Section, Table, Warned, Words
from pipelines.evaluation.report.level import level_figure, misjudged
from pipelines.evaluation.report.shared_pictures import draw_models
from pipelines.evaluation.report.wording import OUTCOMES, information, interval, limits, listed, number, percent
from pipelines.evaluation.results import Results
from pipelines.evaluation.survival_figures import SurvivalFigures

MET = {True: "reached", False: "not reached", None: "could not be judged"}
SYSTEMS = {
    "signature_svm": "Response signatures",
    "rp_net": "RP-Net",
    "multi_rec_net": "MultiRecNet",
    "dlrs_nomogram": "Metastasis nomogram",
    "segmenter": "Tumour segmenter",
}


def figure_name(results: Results) -> str:
    return "C-index" if results.judged.survival else "AUC"


def origin(phantom_trained: bool, simulated: bool) -> str:
    """The first line of every report."""
    if phantom_trained and simulated:
        words = "Trained on simulated patients and judged on simulated patients: this shows how well the program works"
        return f"{words}, and nothing about real patients. Research use only."
    if phantom_trained:
        return "Trained on simulated patients: what it says of real patients is experimental. Research use only."
    if simulated:
        return "Judged on simulated patients: nothing here was seen in a real one. Research use only."
    return "Research use only: not a medical device."


def title(results: Results) -> str:
    judged = results.judged
    name = SYSTEMS.get(judged.predicted.system, judged.predicted.system)
    given, found = len(judged.patients), results.default.patients
    whom = f"{found} patients" if given == found else f"{found} of {given} patients"
    return f"{name}: {OUTCOMES[judged.default.outcome]}, judged on {whom}"


def lead(results: Results, figures: Path) -> tuple[Block, ...]:
    """Warnings, what was judged and on whom, the main figures, and all headline models in one picture."""
    judged = results.judged
    draw_models(judged.predicted.system, results.headline, figure_name(results), figures / "models.png")
    return (
        *warnings(judged, results.demands),
        *(Warned(words) for words in (misjudged(judged, results.default),) if words),
        Words(_judged(results)),
        Figures(_figures(results)),
        Picture("models.png", _models_caption(results)),
    )


def warnings(judged: Judged, demands: tuple[Demand, ...]) -> tuple[Block, ...]:
    """What stands before every figure: known patients, and whatever was not reached."""
    found: list[Block] = []
    if judged.trained_on_it:
        words = (
            "These are the patients it learnt from: the figures flatter the model and say nothing of other patients."
        )
        found.append(Warned(words))
    found += [Warned(f"Not reached: {demand.missed}.") for demand in demands if demand.met is False]
    return tuple(found)


def cohort_words(judged: Judged) -> str:
    """ "600 patients (200 of hospital A, …)"."""
    sites = Counter(str(site) for site in judged.sites)
    unstated = sites.pop(UNSTATED, 0)
    places = [f"{count} of hospital {site}" for site, count in sorted(sites.items())]
    named = listed([*places, *([f"{unstated} of a hospital that is {UNSTATED}"] if unstated else [])])
    kind = "simulated patients" if judged.cohort.simulated else "patients"
    return f"{len(judged.patients)} {kind}" + (f" ({named})" if named else "")


def given_words(results: Results) -> str:
    """ "given 600 patients (200 of hospital A, …), judged on 540 of them"."""
    return f"given {cohort_words(results.judged)}, judged on {results.default.patients} of them"


def events_words(found: ModelFigures) -> str:
    """How many of the judged patients had the outcome; of an event in time by 36 months and in all."""
    if isinstance(found, SurvivalFigures):
        by_then = f"the event was seen in {found.events_36m} of the {found.patients} patients by 36 months"
        return f"{by_then} and in {found.events} in all of the follow-up"
    return f"{found.events} of the {found.patients} patients had the outcome"


def _judged(results: Results) -> str:
    judged, found = results.judged, results.default
    manifest, default = judged.bundle.manifest, judged.default
    excluded = len(judged.excluded)
    owner = f"; {excluded} more are excluded by the cohort's owner" if excluded else ""
    why = f" {judged.predicted.why_default}" if judged.predicted.why_default else ""
    return (
        f"{manifest.name} {manifest.version} (digest {judged.bundle.weights_digest[:12]}…), trained on "
        f"{manifest.cohort}, was {given_words(results)}{owner}.{why} Its default model, {default.model}, sees "
        f"{information(default)}; {events_words(found)}."
    )


def _figures(results: Results) -> tuple[Figure, ...]:
    judged, found = results.judged, results.default
    name, default = figure_name(results), judged.default
    shown = [Figure(f"{name} of {default.model}", number(found.primary.value), _ends(found))]
    oracle = found.oracle
    if oracle is not None and oracle.ratio is not None and oracle.oracle_expected is not None:
        beside = (
            f"the best that anyone could do with the same inputs; {default.model} on average {number(oracle.expected)}"
        )
        shown.append(Figure("Oracle", number(oracle.oracle_expected), beside))
        one = f"averaged over all possible courses; one draw gave {number(oracle.ratio_observed)}"
        spread = f", such draws spread by ±{number(oracle.spread)}" if oracle.spread is not None else ""
        shown.append(Figure("Share of the oracle", number(oracle.ratio), one + spread))
    reference = published(judged.predicted.system, default.model)
    if reference is not None:
        ends = f"{theirs(reference)}{reference.patients}"
        shown.append(Figure("The authors' own patients", number(reference.value), f"{ends}; a reference, not a target"))
    shown.append(level_figure(found))
    slope = found.calibration.slope
    shown.append(Figure("Calibration slope", number(slope.value), _slope_words(limits(slope), slope.not_estimable)))
    covered = f"of {len(judged.patients)} patients; the others are listed below"
    shown.append(Figure("Coverage", percent(coverage(judged, default)), covered))
    shown.append(
        Figure(
            "Outside the envelope", percent(outside(judged, default), 1), "unlike the training images; none left out"
        )
    )
    return tuple(shown)


def theirs(reference: Published) -> str:
    """The authors' limits with what follows them; '' where they gave none."""
    return "" if reference.limits is None else f"95 % CI {number(reference.low)}–{number(reference.high)}; "


def _ends(found: ModelFigures) -> str:
    ends = limits(found.primary)
    return f"95 % CI {ends}" if ends else found.primary.not_estimable


def _slope_words(ends: str, why: str) -> str:
    return f"95 % CI {ends}; 1 is right, less is too extreme" if ends else why


def _models_caption(results: Results) -> str:
    name = figure_name(results)
    oracle = "; black marks: the oracle, which knows the true probability given the same information"
    known = oracle if results.judged.truth_known else ""
    grey = "; grey: what the authors reported of their own patients"
    reference = grey if any(published(results.judged.predicted.system, m) for m in results.models) else ""
    return f"{name} of each model with its 95 % interval{known}{reference}. Dashed: chance."


def expected_section(results: Results) -> Section:
    """Every demand, whether it was reached, and what was found."""
    rows = tuple((demand.name, demand.said, MET[demand.met]) for demand in results.demands)
    judged = results.judged
    words = "Of real patients calibration alone is demanded: nobody knows the best that could be reached on them."
    if judged.cohort.simulated:
        words = "Set before anything was trained, from what small networks reached on simulated patients."
    fixed = " Thresholds, settings and models were fixed without these patients." if not judged.trained_on_it else ""
    sites = " Hospitals differ in case mix as well as scanners." if len(results.sites) > 1 else ""
    table = Table(("expected", "found", ""), rows)
    return Section("What was expected, and what was found", (Words(f"{words}{fixed}{sites}"), table))


def summary_line(results: Results) -> str:
    """One line for a terminal: model, figure, oracle."""
    found, name = results.default, figure_name(results)
    line = f"{results.judged.predicted.default}: {name} {interval(found.primary)}"
    if found.oracle is not None and found.oracle.ratio is not None:
        line += f"; oracle {number(found.oracle.oracle_expected)}, share {number(found.oracle.ratio)}"
    return line
