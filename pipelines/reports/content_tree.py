"""The content tree of a Structured Report, flattened: each item with where it stands and what its groups say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pydicom import Dataset
from pydicom.sr._snomed_dict import mapping  # the only place where pydicom keeps SNOMED RT to CT

from pipelines.headers.attributes import item, text, value

CodeKey = tuple[str, str]

OBSERVER_TYPE: CodeKey = ("121005", "DCM")
PERSON: CodeKey = ("121006", "DCM")
PERSON_NAME: CodeKey = ("121008", "DCM")
FINDING: CodeKey = ("121071", "DCM")
FINDING_SITE: CodeKey = ("363698007", "SCT")
DERIVATION: CodeKey = ("121401", "DCM")
ALGORITHM_NAME: CodeKey = ("111001", "DCM")
# TID 1502; the first is the time point in words, the others say which one it is.
TIME_POINT: tuple[CodeKey, ...] = (
    ("C2348792", "UMLS"),
    ("126072", "DCM"),
    ("126070", "DCM"),
    ("126071", "DCM"),
)
_SNOMED_RT = {"SRT", "SNM3", "99SDM"}


@dataclass(frozen=True)
class Coded:
    """A coded concept as the object gives it."""

    value: str
    scheme: str
    meaning: str

    @property
    def key(self) -> CodeKey:
        """Code value and scheme, a SNOMED RT code as the SNOMED CT one that replaced it (PS3.16 section 8)."""
        if self.scheme in _SNOMED_RT and self.value in mapping["SRT"]:
            return str(mapping["SRT"][self.value]), "SCT"
        return self.value, self.scheme

    def __str__(self) -> str:
        return f"{self.meaning!r} ({self.value}, {self.scheme})"


@dataclass(frozen=True)
class Context:
    """What the groups around an item say of it, the innermost word first.

    ``images``: SOP Instance UIDs that the innermost group refers to. ``persons``: the names of the persons who
    observed, in the innermost group that names an observer; ``observed``: whether any group names one.
    """

    findings: tuple[Coded, ...] = ()
    sites: tuple[Coded, ...] = ()
    time_points: tuple[Coded, ...] = ()
    algorithm: str = ""
    images: frozenset[str] = frozenset()
    observed: bool = False
    persons: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContentItem:
    """One content item; ``place`` numbers it as viewers do: 1 is the document, 1.4.2 the second item of its fourth."""

    dataset: Dataset
    value_type: str
    name: Coded
    place: str
    context: Context

    def __str__(self) -> str:
        return f"{self.name.meaning!r} at {self.place}"

    @property
    def derivation(self) -> CodeKey | None:
        """How a measurement was computed of several values, PS3.16 TID 300; None where it does not say."""
        found = _codes(_named_children(self.dataset), DERIVATION)
        return found[0].key if found else None


def content_items(document: Dataset) -> Iterator[ContentItem]:
    """Every content item below the root (PS3.3 C.17.3), in its order, with the context that its groups give it."""
    yield from _below(document, "1", Context())


def coded(dataset: Dataset, sequence: str) -> Coded:
    """The first code of a sequence (PS3.3 8.8); three empty strings where there is none."""
    entry = item(dataset, sequence)
    if entry is None:
        return Coded("", "", "")
    keywords = ("CodeValue", "LongCodeValue", "URNCodeValue")
    code_value = next((text(entry, keyword) for keyword in keywords if text(entry, keyword)), "")
    return Coded(code_value, text(entry, "CodingSchemeDesignator"), text(entry, "CodeMeaning"))


def _below(parent: Dataset, place: str, around: Context) -> Iterator[ContentItem]:
    context = _narrowed(parent, around, is_root=place == "1")
    for index, child in enumerate(_children(parent), 1):
        here = f"{place}.{index}"
        yield ContentItem(
            dataset=child,
            value_type=text(child, "ValueType").upper(),
            name=coded(child, "ConceptNameCodeSequence"),
            place=here,
            context=_narrowed(child, context) if _is_measured(child) else context,
        )
        yield from _below(child, here, context)


def _narrowed(parent: Dataset, around: Context, *, is_root: bool = False) -> Context:
    """The context below an item: its own modifiers before those of the groups around it."""
    values = _named_children(parent)
    context = replace(
        around,
        findings=(*_codes(values, FINDING), *around.findings),
        sites=(*_codes(values, FINDING_SITE), *around.sites),
        time_points=(*(code for name in TIME_POINT for code in _codes(values, name)), *around.time_points),
        algorithm=next((text(child, "TextValue") for key, child in values if key == ALGORITHM_NAME), around.algorithm),
        images=around.images if is_root else frozenset(_images(parent)) or around.images,
    )
    persons = tuple(text(child, "PersonName") for key, child in values if key == PERSON_NAME)
    types = _codes(values, OBSERVER_TYPE)
    if not persons and any(kind.key == PERSON for kind in types):
        persons = ("",)
    return replace(context, observed=True, persons=persons) if persons or types else context


def _named_children(parent: Dataset) -> list[tuple[CodeKey, Dataset]]:
    return [(coded(child, "ConceptNameCodeSequence").key, child) for child in _children(parent)]


def _codes(values: list[tuple[CodeKey, Dataset]], name: CodeKey) -> list[Coded]:
    """The values of the children of a name; words stand as a meaning without a code."""
    found = []
    for key, child in values:
        if key == name:
            words = text(child, "TextValue")
            found.append(Coded("", "", words) if words else coded(child, "ConceptCodeSequence"))
    return found


def _is_measured(dataset: Dataset) -> bool:
    return text(dataset, "ValueType").upper() in {"NUM", "CODE"}


def _images(parent: Dataset) -> Iterator[str]:
    """SOP Instance UIDs that an item and all below it refer to."""
    for reference in value(parent, "ReferencedSOPSequence") or ():
        yield text(reference, "ReferencedSOPInstanceUID")
    for child in _children(parent):
        yield from _images(child)


def _children(parent: Dataset) -> list[Dataset]:
    return list(value(parent, "ContentSequence") or ())
