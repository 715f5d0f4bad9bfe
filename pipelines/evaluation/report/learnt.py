"""What a bundle learnt from, in words, so that a reader sees what was not in its training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from pipelines.bundle import CALIBRATION, UNRECORDED, Manifest
from pipelines.contract import Item
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.report.wording import counted, listed

KINDS = (("Hospitals", "sites"), ("Therapies", "therapies"), ("Histologies", "histologies"))
NOT_RECORDED = "not recorded"


def learnt_from(manifest: Manifest) -> tuple[tuple[str, str], ...]:
    """On whom a bundle was calibrated, if it was; then hospitals, therapies and histologies of training, each with its
    patients where the manifest counts them."""
    kinds = tuple((f"{name} learnt from", _said(manifest.training.get(key))) for name, key in KINDS)
    calibrated = manifest.training.get(CALIBRATION)
    if not calibrated:
        return kinds
    words = f"{calibrated['cohort']}; cohort digest {calibrated['cohort_digest'][:16]}…"
    return (("Calibrated on", words), *kinds)


def _said(held: object) -> str:
    if isinstance(held, Mapping):
        return listed([f"{_word(name)} ({count})" for name, count in held.items()]) or NOT_RECORDED
    return listed([_word(name) for name in _names(held)]) or NOT_RECORDED


def _word(name: object) -> str:
    return NOT_RECORDED if name == UNRECORDED else str(name)


def _names(held: object) -> tuple[str, ...]:
    if isinstance(held, str) or not isinstance(held, Collection):
        return ()
    return tuple(str(name) for name in held)


def never_seen(judged: Judged) -> str:
    """Therapies and histologies of the patients given that training never saw, and how many have them; '' where there
    are none. A kind that the manifest does not list is passed."""
    found = []
    for name, key, item in (("therapy", "therapies", Item.THERAPY), ("histology", "histologies", Item.HISTOLOGY)):
        known = set(_names(judged.bundle.manifest.training.get(key)))
        words = Counter(patient.record.word(item) for patient in judged.patients)
        strange = {word: count for word, count in sorted(words.items()) if word and known and word not in known}
        found += [f"{name} {word} ({counted(count, 'patient')})" for word, count in strange.items()]
    return "; ".join(found)
