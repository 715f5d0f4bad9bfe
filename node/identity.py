"""Whether two studies under one PatientID are of one person, by name, birth date and sex.

A blank value is no evidence: it neither confirms nor contradicts. Two values that are both there and differ are a
conflict, and a person decides: a wrong pair is worse than a question.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from node.records import StudyFacts
from pipelines.contract import Patient


@dataclass(frozen=True)
class Difference:
    """One attribute in which two studies under one PatientID disagree, with both values as received."""

    attribute: str
    here: str
    there: str
    there_study_uid: str

    def __str__(self) -> str:
        return f"{self.attribute} is '{self.here}' here and '{self.there}' in study {self.there_study_uid}"


@dataclass(frozen=True)
class Identities:
    """The studies of one PatientID, told apart. ``conflicts``: study UID to how it differs from the accepted ones."""

    accepted: tuple[StudyFacts, ...]
    conflicts: tuple[tuple[StudyFacts, tuple[Difference, ...]], ...]


def tell_apart(studies: Iterable[StudyFacts]) -> Identities:
    """Give the PatientID to who was received first; whoever contradicts an accepted study is a conflict."""
    accepted: list[StudyFacts] = []
    conflicts: list[tuple[StudyFacts, tuple[Difference, ...]]] = []
    for study in sorted(studies, key=lambda study: (study.first_received, study.study_uid)):
        found = _differences(study, accepted)
        if found:
            conflicts.append((study, found))
        else:
            accepted.append(study)
    return Identities(tuple(accepted), tuple(conflicts))


def is_confirmed(first: Patient, second: Patient) -> bool:
    """Whether name or birth date stand in both, so that more than the PatientID says that they are one person."""
    named = bool(_groups(first.name).keys() & _groups(second.name).keys())
    return named or bool(_birth_date(first.birth_date) and _birth_date(second.birth_date))


def _differences(study: StudyFacts, accepted: Sequence[StudyFacts]) -> tuple[Difference, ...]:
    found: dict[str, Difference] = {}
    for other in accepted:
        for attribute, here, there in contradictions(study.patient, other.patient):
            found.setdefault(attribute, Difference(attribute, here, there, other.study_uid))
    return tuple(found.values())


def contradictions(here: Patient, there: Patient) -> Iterable[tuple[str, str, str]]:
    """Each of name, birth date and sex that both state and that differs: the attribute, and both values as received."""
    if _names_differ(here.name, there.name):
        yield "PatientName", here.name, there.name
    if _both_differ(_birth_date(here.birth_date), _birth_date(there.birth_date)):
        yield "PatientBirthDate", here.birth_date, there.birth_date
    if _both_differ(_sex(here.sex), _sex(there.sex)):
        yield "PatientSex", here.sex, there.sex


def _both_differ(here: str, there: str) -> bool:
    return bool(here and there and here != there)


def _birth_date(value: str) -> str:
    """Digits alone (ACR-NEMA wrote 1950.03.01, PS3.5 6.2); zeros are a way to leave it blank."""
    digits = re.sub(r"[^0-9]", "", value)
    return digits.strip("0") and digits


def _sex(value: str) -> str:
    """M, F or O (PS3.3 C.7.1.1); anything else is no evidence."""
    sex = value.strip(" \0").upper()
    return sex if sex in {"M", "F", "O"} else ""


def _names_differ(here: str, there: str) -> bool:
    """Whether any component group (alphabetic, ideographic, phonetic: PS3.5 6.2.1) that both have differs."""
    first, second = _groups(here), _groups(there)
    return any(not _same_group(first[group], second[group]) for group in first.keys() & second.keys())


def _groups(name: str) -> dict[int, str]:
    folded = unicodedata.normalize("NFKC", name.replace("\0", " ")).casefold()
    groups = (re.sub(r"\s*\^\s*", "^", group.strip()).rstrip("^") for group in folded.split("="))
    return {position: group for position, group in enumerate(groups) if group}


def _same_group(here: str, there: str) -> bool:
    """Family, given and middle name; prefix and suffix change with titles and are no evidence.

    Where one was typed without carets ("DOE JANE", "DOE, JANE"), the names are compared as words.
    """
    if ("^" in here or " " not in here) and ("^" in there or " " not in there):
        pairs = zip(here.split("^")[:3], there.split("^")[:3], strict=False)
        return not any(_both_differ(_plain(first), _plain(second)) for first, second in pairs)
    first, second = _plain(" ".join(here.split("^")[:3])).split(), _plain(" ".join(there.split("^")[:3])).split()
    shared = min(len(first), len(second))
    return shared >= 2 and first[:shared] == second[:shared]


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[,.;_]", " ", text).split())
