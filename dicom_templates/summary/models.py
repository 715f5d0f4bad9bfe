"""What stands behind the numbers, in one paragraph: limits of use, models, cohorts, digests, meaning of the limits.

What several models have in common stands once.
"""

from __future__ import annotations

from collections.abc import Iterable

from dicom_templates import wording
from dicom_templates.identity import phantom_trained
from pipelines.contract import Findings, ModelIdentity

_DIGITS = 12  # of a digest, as in the report


def fine_print(findings: Findings, short: bool = False) -> str:
    """The paragraph. ``short``: without what each model is meant for, which the report has."""
    models = models_of(findings)
    texts = [wording.PHANTOM_WARNING] if phantom_trained(findings) else []
    texts += _shared((_name(model), wording.sentence(model.limits)) for model in models)
    if not short:
        texts += [f"{_name(model)}: {wording.sentence(model.intended_use)}" for model in models if model.intended_use]
    if models:
        weights = ", ".join(f"{_name(model)} weights {model.weights_digest[:_DIGITS]}" for model in models)
        texts.append(f"Models: {weights}.")
    texts += [
        f"Trained on: {words}"
        for words in _shared((_name(m), f"{m.cohort} (digest {m.cohort_digest[:_DIGITS]}).") for m in models)
    ]
    texts += [
        f"Limits of the probabilities: {words}"
        for words in _shared((_name(score.model), wording.sentence(score.interval)) for score in findings.scores)
    ]
    stated = {wording.confidence_sentence(score.possible) for score in findings.scores if score.possible is not None}
    return " ".join([*texts, *sorted(stated)])


def models_of(findings: Findings) -> tuple[ModelIdentity, ...]:
    """Every model behind these findings, each once: of the scores, then of the outlines."""
    scored = [score.model for score in findings.scores]
    drawn = [exam.mask.model for exam in findings.case.exams if exam.mask is not None and exam.mask.model is not None]
    return tuple({(model.name, model.version): model for model in (*scored, *drawn)}.values())


def _name(model: ModelIdentity) -> str:
    return f"{model.name} {model.version}"


def _shared(said: Iterable[tuple[str, str]]) -> list[str]:
    """Each text once: alone where it holds for all, else behind the names it holds for."""
    names: dict[str, list[str]] = {}
    for name, text in said:
        names.setdefault(text, []).append(name)
    if len(names) == 1:
        return list(names)
    return [f"{', '.join(dict.fromkeys(of))}: {text}" for text, of in names.items()]
