"""The sentences that the report and the page share. A viewer may show nothing else, so each says all of one thing."""

from __future__ import annotations

from collections.abc import Sequence

from dicom_templates import codes
from dicom_templates.figures import (
    IN_SENTENCES,
    NAMES,
    ORDER,
    Change,
    changes,
    find,
    plain,
    shown,
    shown_limits,
    shown_percent,
    signed,
)
from dicom_templates.identity import PHANTOM, phantom_mask, phantom_trained
from dicom_templates.survival import event_free
from pipelines.contract import (
    Contribution,
    Exam,
    Explanation,
    Findings,
    MaskOrigin,
    Measurement,
    Nomogram,
    PredictionSet,
    Role,
    Score,
    Statement,
    TimePoint,
)

RESEARCH_USE = (
    "RESEARCH USE ONLY. Not a medical device, not for diagnosis or treatment decisions. No radiologist has verified "
    "these results."
)
PHANTOM_WARNING = (
    f"{PHANTOM}: a model behind these numbers has seen synthetic images only. They show that the software works; "
    "they say nothing about this patient."
)
TIME_POINT_WORDS = {TimePoint.BASELINE: "Baseline", TimePoint.RESTAGING: "Restaging"}
ROLE_WORDS = {
    Role.T2_AXIAL: "axial T2",
    Role.T2_SAGITTAL: "sagittal T2",
    Role.T2_CORONAL: "coronal T2",
    Role.DWI: "DWI",
    Role.ADC: "ADC",
    Role.CE_T1: "contrast-enhanced T1",
    Role.T1: "T1",
    Role.OTHER: "other",
}
GRAD_CAM_NOTE = (
    "Grad-CAM: places that raise, or lower, what the network says. Coarse: no tumour border, and brightness beside the "
    "outline is no finding. In brackets: the outline's share of the area."
)
REFUSED, WARNING = "Refused", "Warning"
_MOST_MOVED = 3  # inputs that a prediction's own sentence names


def limits_of_use(findings: Findings) -> tuple[str, ...]:
    """The sentences on what these findings must not be used for, the most important one first."""
    models = {score.model.name: score.model for score in findings.scores}
    models |= {exam.mask.model.name: exam.mask.model for exam in findings.case.exams if exam.mask and exam.mask.model}
    sentences = [RESEARCH_USE]
    if phantom_trained(findings):
        sentences.append(PHANTOM_WARNING)
    sentences += [f"{m.name} {m.version}: {sentence(m.intended_use)} {sentence(m.limits)}" for m in models.values()]
    return tuple(sentences)


def sentence(text: str) -> str:
    """The text with a full stop at its end."""
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def mask_sentence(exam: Exam, findings: Findings) -> str:
    """Whose the tumour outline is."""
    mask = exam.mask
    if mask is None:
        return "No tumour outline."
    if mask.origin is MaskOrigin.READER:
        who = f"a reader ({mask.reader})" if mask.reader else "a reader"
        return f"Tumour outlined by {who}. {sentence(mask.how)}"
    phantom = f" ({PHANTOM})" if phantom_mask(findings, exam.files.time_point) else ""
    return (
        f"Tumour outlined by the model {mask.algorithm} {mask.version}{phantom}, not checked by a reader: "
        f"{sentence(mask.how)}"
    )


def measurement_sentence(measurement: Measurement, change: Change | None = None) -> str:
    """What one number is, with its unit and its change from baseline, or why none is given."""
    words = f"{NAMES[measurement.quantity]}: {shown(measurement)}"
    if change is None:
        return f"{words}."
    if change.value is None:
        return f"{words}. {change_sentence(change)}"
    return f"{words}, {signed(change.value)} from baseline."


def method_sentence(measurements: Sequence[Measurement]) -> str:
    """How the numbers were made."""
    how = "; ".join(f"{IN_SENTENCES[one.quantity]}: {one.how}" for one in measurements if one.how)
    return f"How measured: {sentence(how)}" if how else ""


def change_sentence(change: Change) -> str:
    """What one change is, or why there is none."""
    name = IN_SENTENCES[change.quantity]
    if change.value is None:
        return f"Change of {name} not given: {sentence(change.why_not)}"
    return f"Change of {name} from baseline to restaging: {signed(change.value)}."


def exam_words(exam: Exam) -> str:
    """Which exam: "Restaging MR of 2024-06-10"."""
    return f"{TIME_POINT_WORDS[exam.files.time_point]} MR of {exam.files.study_date.isoformat()}"


def tumour_sentences(exam: Exam, findings: Findings) -> str:
    """All that is said of the tumour at one time point: size first, signal after it, then whose outline it is."""
    when = exam.files.time_point
    compared = {change.quantity: change for change in changes(findings)} if when is TimePoint.RESTAGING else {}
    found = [one for quantity in ORDER if (one := find(findings, quantity, when)) is not None]
    numbers = [measurement_sentence(one, compared.get(one.quantity)) for one in found]
    parts = [f"{exam_words(exam)}.", *numbers, mask_sentence(exam, findings), method_sentence(found)]
    return " ".join(part for part in parts if part)


def in_reading_order(scores: tuple[Score, ...]) -> tuple[Score, ...]:
    """Response before prognosis, in the order that the outcomes are published in; a system's own order within."""
    order = list(codes.OUTCOMES)
    return tuple(sorted(scores, key=lambda score: order.index(score.outcome) if score.outcome in order else len(order)))


def interval_words(score: Score) -> str:
    """Probability and limits: "73 % (61–83 %)"."""
    return f"{shown_percent(score.probability)} ({shown_limits(score.lower, score.upper)})"


def score_sentence(score: Score) -> str:
    """Probability, limits, category, model and exams in one sentence."""
    outcome = codes.outcome(score.outcome)
    model = score.model
    return (
        f"Probability of {outcome.words}: {interval_words(score)}, "
        f"{outcome.categories[score.category].meaning.lower()}. {model.name} {model.version}, from the "
        f"{exams_used(score)}. Limits: {sentence(score.interval)}"
    )


def possible_words(score: Score, short: bool = False) -> str:
    """What remains possible, and at what confidence; '' of a model that states none. ``short``: the outcome and its
    horizon stand beside it."""
    if score.possible is None:
        return ""
    outcome, confidence = codes.outcome(score.outcome), f"At {shown_percent(score.possible.coverage)} confidence"
    words = outcome.remaining.words(score.possible) + ("" if short else outcome.remaining.by)
    if not score.possible.refer:
        return f"{confidence}: {words}"
    if not score.envelope.inside:
        return "Nothing is ruled out" if short else "Nothing is ruled out, the case is unlike the training cohort"
    return f"{confidence} both are possible" if short else f"{confidence} both {words} remain possible"


def possible_sentences(score: Score) -> str:
    """What remains possible, whether a reader is asked, and what the confidence means."""
    if score.possible is None:
        return ""
    refer = ": refer to a reader" if score.possible.refer else ""
    return f"{possible_words(score)}{refer}. {confidence_sentence(score.possible)}"


def confidence_sentence(possible: PredictionSet) -> str:
    """What the confidence means, for a reader without statistics."""
    share, rest = shown_percent(possible.coverage), shown_percent(1.0 - possible.coverage)
    return (
        f"{share} confidence: in patients like the training cohort's, what comes true is wrongly ruled out in at most "
        f"{rest}."
    )


def exams_used(score: Score) -> str:
    """The exams that a model saw: "baseline and restaging exams"."""
    names = [str(one) for one in TimePoint if one in score.time_points]
    return f"{' and '.join(names)} exam{'s' if len(names) > 1 else ''}" if names else "exams that it does not name"


def clinical_sentence(score: Score) -> str:
    """The clinical values that a model was told, each with where it comes from."""
    return f"Clinical values used: {sentence('; '.join(score.clinical))}"


def nomogram_sentence(nomogram: Nomogram) -> str:
    """The points of each axis, and their total."""
    axes = "; ".join(f"{axis.name} {axis.value}: {plain(round(axis.points, 1))} points" for axis in nomogram.axes)
    return f"Nomogram: {axes}; total {plain(round(nomogram.total, 1))} points."


def contributions_sentence(score: Score) -> str:
    """What every input adds to the patient's result, the largest first, and all of them together."""
    each = "; ".join(f"{_told(one)}: {_added(one.amount)}" for one in score.contributions)
    total = _added(sum(one.amount for one in score.contributions))
    return (
        f"What moves the number, in {score.contribution_unit} against the mean of the training patients (above 0 "
        f"raises the probability of {codes.outcome(score.outcome).short}, below 0 lowers it): {each}. Together {total}."
    )


def moved_sentence(score: Score) -> str:
    """The inputs that move the number most, by direction."""
    most = score.contributions[:_MOST_MOVED]
    raised = " and ".join(one.name for one in most if one.amount > 0)
    lowered = " and ".join(one.name for one in most if one.amount <= 0)
    parts = [f"raised by {raised}" if raised else "", f"lowered by {lowered}" if lowered else ""]
    return f"Moved most: {'; '.join(part for part in parts if part)}."


def _told(one: Contribution) -> str:
    return f"{one.name}, {one.value}" if one.value else one.name


def _added(amount: float) -> str:
    text = f"{amount:+.2f}".replace("-", "−")
    return "0" if text[1:] == "0.00" else text


def explanation_sentence(explanation: Explanation) -> str:
    """Where a network looked at one exam, and what that does not mean."""
    share = shown_percent(explanation.inside_share)
    where = f"{TIME_POINT_WORDS[explanation.time_point].lower()} {explanation.sequence}"
    way = "raises" if explanation.raised else "lowers"
    if not explanation.saliency.volume.array.any():
        return f"Grad-CAM on the {where}: no place {way} what the network says."
    chance = ""
    if explanation.area_share is not None:
        chance = f", which is {shown_percent(explanation.area_share)} of the area that the network was shown"
    return (
        f"Grad-CAM on the {where}, of what {way} its network's estimate: {share} of its sum lies inside the tumour "
        f"outline{chance}. The map is coarse: it shows no border of a tumour, and no finding outside of one."
    )


def looked_words(score: Score, explanation: Explanation) -> tuple[str, str]:
    """Below a small map: which way its places move which outcome; its share in the tumour, and the tumour's of the
    area."""
    outcome = codes.outcome(score.outcome).short
    first = f"{'raises' if explanation.raised else 'lowers'} {outcome}"
    if not explanation.saliency.volume.array.any():
        return first, "no place does"
    share = f"in tumour {shown_percent(explanation.inside_share)}"
    if explanation.area_share is None:
        return first, share
    return first, f"{share} ({shown_percent(explanation.area_share)})"


def prediction_sentences(score: Score) -> str:
    """All that is said of one prediction."""
    parts = [score_sentence(score), *([possible_sentences(score)] if score.possible else []), envelope_sentence(score)]
    parts += [clinical_sentence(score)] if score.clinical else []
    parts += [nomogram_sentence(score.nomogram)] if score.nomogram is not None else []
    parts += [moved_sentence(score)] if score.contributions else []
    parts += [explanation_sentence(one) for one in score.explanations]
    return " ".join([*parts, training_sentence(score)])


def curve_sentences(score: Score) -> str:
    """All that is said of a curve: the event-free share at each horizon, and what month 0 is."""
    outcome = codes.outcome(score.outcome)
    if score.curve is None or outcome.event_free is None:
        return ""
    shares = "; ".join(
        f"at {one.horizon.months} months {plain(one.share)} % ({plain(one.lower)}–{plain(one.upper)} %)"
        for one in event_free(score)
    )
    flag = "" if score.envelope.inside else f" {envelope_sentence(score)}"
    model = score.model
    return (
        f"{outcome.event_free.meaning}: {shares}. Month 0: {sentence(score.curve.time_zero)} {model.name} "
        f"{model.version}.{flag}{phantom_words(score)}"
    )


def phantom_words(score: Score) -> str:
    """The flag of a model trained on phantoms, to go behind a sentence."""
    return f" {PHANTOM}." if score.model.phantom_trained else ""


def training_sentence(score: Score) -> str:
    """What the model learnt from."""
    model = score.model
    flag = f"{PHANTOM}. " if model.phantom_trained else ""
    digests = f"(digest {model.cohort_digest[:12]}); weights {model.weights_digest[:12]}."
    return f"{flag}Training cohort: {model.cohort} {digests}"


def envelope_sentence(score: Score) -> str:
    """Whether the case looks like the cohort of the model; of several departures the first, and how many more."""
    if score.envelope.inside:
        return "The case is inside the model's training envelope."
    first, *others = score.envelope.reasons or ("no reason given",)
    more = f"; {len(others)} more departures are listed under OUT_OF_ENVELOPE in the report" if others else ""
    return f"OUTSIDE the model's training envelope, the number is not reliable: {sentence(first + more)}"


def statement_sentence(kind: str, statement: Statement) -> str:
    """A refusal or a warning: what it is about, why, and its published code."""
    return f"{kind}: {statement.subject}: {sentence(statement.reason)} [{statement.code}]"
