"""The sentences that the report and the page share. A viewer may show nothing else, so each says all of one thing."""

from __future__ import annotations

from dicom_templates import codes
from dicom_templates.figures import IN_SENTENCES, Change, changes, percent, shown
from dicom_templates.identity import PHANTOM, phantom_mask, phantom_trained
from pipelines.contract import Exam, Findings, MaskOrigin, Measurement, Role, Score, Statement, TimePoint

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
REFUSED, WARNING = "Refused", "Warning"


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
        f"Tumour outlined by the model {mask.algorithm} {mask.version}{phantom}, not checked by a reader. "
        f"{sentence(mask.how)}"
    )


def measurement_sentence(measurement: Measurement) -> str:
    """What one number is, with its unit and how it was made."""
    when = TIME_POINT_WORDS[measurement.time_point]
    how = f" ({measurement.how})" if measurement.how else ""
    return f"{when} {IN_SENTENCES[measurement.quantity]}: {shown(measurement)}{how}."


def change_sentence(change: Change) -> str:
    """What one change is, or why there is none."""
    name = IN_SENTENCES[change.quantity]
    if change.value is None:
        return f"Change of {name} not given: {sentence(change.why_not)}"
    return f"Change of {name} from baseline to restaging: {change.value:+.1f} % of baseline."


def tumour_sentences(exam: Exam, findings: Findings) -> str:
    """All that is said of the tumour at one time point."""
    when = exam.files.time_point
    texts = [f"{TIME_POINT_WORDS[when]} exam of {exam.files.study_date.isoformat()}.", mask_sentence(exam, findings)]
    texts += [measurement_sentence(one) for one in findings.measurements if one.time_point == when]
    if when is TimePoint.RESTAGING:
        texts += [change_sentence(change) for change in changes(findings)]
    return " ".join(texts)


def score_sentence(score: Score) -> str:
    """Probability, limits, category and model in one sentence."""
    outcome = codes.outcome(score.outcome)
    model = score.model
    return (
        f"Probability of {outcome.words}: {percent(score.probability):.0f} % "
        f"({percent(score.lower):.0f}–{percent(score.upper):.0f}; {score.interval}), "
        f"{outcome.categories[score.category].meaning.lower()}, {model.name} {model.version}."
    )


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
