"""The groups of one prediction (TID 1501): the probability, and the event-free share over time where there is one.

Two groups, because a viewer that prints values without their names must not mix "21 %" at risk with "79 %" free of the
event; each opens with its own sentence.
"""

from __future__ import annotations

import highdicom as hd
from pydicom.sr.coding import Code as Concept

from dicom_templates import codes, wording
from dicom_templates.figures import percent
from dicom_templates.identity import MANUFACTURER, ResultIdentity
from dicom_templates.report.items import code, comment, number, text, with_items
from dicom_templates.survival import EventFree, event_free
from pipelines.contract import Score


def prediction_groups(score: Score, identity: ResultIdentity) -> list[hd.sr.ContentItem]:
    """The prediction, and its curve where it covers a horizon that is published."""
    outcome = codes.outcome(score.outcome)
    group = _group(score, identity, prediction_identifier(score), codes.PREDICTION.concept)
    groups = [with_items(group, _prediction_items(score, outcome))]
    shares = event_free(score)
    if shares and outcome.event_free is not None:
        curve = _group(score, identity, curve_identifier(score), outcome.event_free.concept)
        groups.append(with_items(curve, _curve_items(score, shares)))
    return groups


def prediction_identifier(score: Score) -> str:
    """Tracking Identifier of a prediction."""
    return f"{score.model.name}: {codes.outcome(score.outcome).words}"


def curve_identifier(score: Score) -> str:
    """Tracking Identifier of a prediction's curve."""
    return f"{prediction_identifier(score)}: event-free share"


def _group(
    score: Score, identity: ResultIdentity, identifier: str, finding: Concept
) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    model = score.model
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=identity.prediction_uid(model.system, identifier), identifier=identifier
        ),
        finding_type=finding,
        finding_sites=[hd.sr.FindingSite(codes.RECTUM)],
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=model.name,
            version=model.version,
            manufacturer=MANUFACTURER,
            parameters=[f"system: {model.system}", f"weights SHA-256: {model.weights_digest}"],
            family=codes.FAMILY_AI,
        ),
    )


def _prediction_items(score: Score, outcome: codes.Outcome) -> list[hd.sr.ContentItem]:
    return [
        comment(wording.prediction_sentences(score)),
        number(outcome.probability.concept, percent(score.probability), codes.PERCENT),
        number(codes.LOWER.concept, percent(score.lower), codes.PERCENT),
        number(codes.UPPER.concept, percent(score.upper), codes.PERCENT),
        code(codes.LIKELIHOOD.concept, outcome.categories[score.category].concept),
        *_possible(score, outcome),
        *_flags(score),
        text(codes.INTERVAL.concept, score.interval),
        *_made_of(score),
        *_model_items(score),
    ]


def _possible(score: Score, outcome: codes.Outcome) -> list[hd.sr.ContentItem]:
    if score.possible is None:
        return []
    return [
        code(codes.POSSIBLE.concept, outcome.remaining.code(score.possible).concept),
        number(codes.SET_COVERAGE.concept, percent(score.possible.coverage), codes.PERCENT),
    ]


def _flags(score: Score) -> list[hd.sr.ContentItem]:
    envelope = codes.INSIDE if score.envelope.inside else codes.OUTSIDE
    training = codes.ON_PHANTOM if score.model.phantom_trained else codes.ON_PATIENTS
    return [code(codes.ENVELOPE.concept, envelope.concept), code(codes.TRAINING.concept, training.concept)]


def _made_of(score: Score) -> list[hd.sr.ContentItem]:
    """What the model saw, how its regression added up, and where its networks looked."""
    items = [text(codes.EXAMS_USED.concept, wording.sentence(wording.exams_used(score).capitalize()))]
    if score.inputs:
        items.append(text(codes.INPUTS.concept, "; ".join(f"{name} = {value:.4g}" for name, value in score.inputs)))
    if score.clinical:
        items.append(text(codes.CLINICAL_USED.concept, wording.sentence("; ".join(score.clinical))))
    if score.nomogram is not None:
        items.append(text(codes.NOMOGRAM.concept, wording.nomogram_sentence(score.nomogram)))
    if score.contributions:
        items.append(text(codes.CONTRIBUTIONS.concept, wording.contributions_sentence(score)))
    items += [text(codes.EXPLANATION.concept, wording.explanation_sentence(one)) for one in score.explanations]
    return items


def _model_items(score: Score) -> list[hd.sr.ContentItem]:
    model = score.model
    return [
        text(codes.COHORT.concept, f"{model.cohort}; SHA-256 {model.cohort_digest}"),
        text(codes.WEIGHTS.concept, model.weights_digest),
        text(codes.INTENDED_USE.concept, model.intended_use),
        text(codes.LIMITS.concept, model.limits),
    ]


def _curve_items(score: Score, shares: tuple[EventFree, ...]) -> list[hd.sr.ContentItem]:
    items = [comment(wording.curve_sentences(score))]
    for one in shares:
        items += [
            number(one.horizon.share.concept, one.share, codes.PERCENT),
            number(one.horizon.lower.concept, one.lower, codes.PERCENT),
            number(one.horizon.upper.concept, one.upper, codes.PERCENT),
        ]
    time_zero = score.curve.time_zero if score.curve is not None else ""
    return [*items, text(codes.TIME_ZERO.concept, time_zero), *_flags(score)]
