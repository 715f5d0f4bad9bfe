"""What images at one place in one series may differ in beside the b-value: echo, phase of a dynamic, image component.

PS3.3 C.7.6.17 lets a multi-frame object have any dimensions; only these decide whether images may be taken together.
"""

from __future__ import annotations

from pydicom import Dataset

from pipelines.headers.attributes import item, number, text, words

ECHO_TIME, INVERSION_TIME, COMPONENT, TEMPORAL = "echo time", "inversion time", "image component", "temporal position"
CONTRASTS = frozenset({ECHO_TIME, INVERSION_TIME, COMPONENT})
"""Images that differ in one of these show different things and are never averaged."""

COMPONENTS = {"P": "PHASE", "R": "REAL", "I": "IMAGINARY", "PHASE": "PHASE", "REAL": "REAL", "IMAGINARY": "IMAGINARY"}
MAGNITUDE = "MAGNITUDE"


def dimensions(dataset: Dataset, groups: tuple[Dataset | None, Dataset] | None = None) -> tuple[tuple[str, str], ...]:
    """(name, value) of each dimension that the header states; ``groups``: the frame's functional groups."""
    stack_id = ""
    if groups is None:
        echo, inversion = number(dataset, "EchoTime"), number(dataset, "InversionTime")
        position = text(dataset, "TemporalPositionIdentifier")
        source, kind = dataset, words(dataset, "ImageType")
    else:
        content, source = _of(groups, "FrameContentSequence"), _of(groups, "MRImageFrameTypeSequence")
        echo = number(_of(groups, "MREchoSequence"), "EffectiveEchoTime")
        inversion = number(_of(groups, "MRModifierSequence"), "InversionTimes")
        position, stack_id = text(content, "TemporalPositionIndex"), text(content, "StackID")
        kind = words(source, "FrameType")
    stated = (
        (ECHO_TIME, "" if echo is None else f"{round(echo, 2):g} ms"),
        (INVERSION_TIME, "" if inversion is None else f"{round(inversion, 2):g} ms"),
        (COMPONENT, _component(source, kind)),
        (TEMPORAL, position),
        ("stack", stack_id),
        ("image type", "/".join(kind[2:])),
    )
    return tuple((name, value) for name, value in stated if value)


def _component(source: Dataset, kind: tuple[str, ...]) -> str:
    """PS3.3 C.8.13.3.1.1; in classic MR the third or a later value of Image Type, where it says so."""
    stated = text(source, "ComplexImageComponent").upper()
    if stated and stated != "MIXED":
        return stated
    return next((COMPONENTS[word] for word in kind[2:] if word in COMPONENTS), MAGNITUDE)


def _of(groups: tuple[Dataset | None, Dataset], keyword: str) -> Dataset:
    shared, per_frame = groups
    return item(per_frame, keyword) or item(shared, keyword) or Dataset()
