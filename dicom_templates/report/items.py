"""Content items of the report, one line each (PS3.3 C.17.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import highdicom as hd
from highdicom.sr import RelationshipTypeValues as Relationship
from pydicom.sr.coding import Code as Concept

from dicom_templates import codes
from dicom_templates.figures import plain


def text(name: Concept, value: str) -> hd.sr.ContentItem:
    """TEXT, contained."""
    return hd.sr.TextContentItem(name=name, value=value, relationship_type=Relationship.CONTAINS)


def comment(value: str) -> hd.sr.ContentItem:
    """A sentence for a person."""
    return text(codes.COMMENT, value)


def code(name: Concept, value: Concept) -> hd.sr.ContentItem:
    """CODE, contained."""
    return hd.sr.CodeContentItem(name=name, value=value, relationship_type=Relationship.CONTAINS)


def uid(name: Concept, value: str) -> hd.sr.ContentItem:
    """UIDREF, contained."""
    return hd.sr.UIDRefContentItem(name=name, value=value, relationship_type=Relationship.CONTAINS)


def number(name: Concept, value: float, unit: Concept, digits: str = "") -> hd.sr.ContentItem:
    """NUM without children: some viewers drop a number that has any. ``digits``: as the sentences write it."""
    item = hd.sr.NumContentItem(name=name, value=value, unit=unit, relationship_type=Relationship.CONTAINS)
    item.MeasuredValueSequence[0].NumericValue = digits or plain(value)  # 25, where highdicom writes 25.0
    return item


def container(
    name: Concept, children: Iterable[hd.sr.ContentItem], *, continuous: bool = False
) -> hd.sr.ContainerContentItem:
    """CONTAINER, contained, with its children beside each other, or as one running text where they are ``continuous``.

    Continuity of Content (PS3.3 C.18.8): a program that renders running text prints values without their names, so
    it is for image references alone.
    """
    item = hd.sr.ContainerContentItem(
        name=name, relationship_type=Relationship.CONTAINS, is_content_continuous=continuous
    )
    item.ContentSequence = hd.sr.ContentSequence(list(children))
    return item


def with_items(template: hd.sr.ContentSequence, items: list[hd.sr.ContentItem]) -> hd.sr.ContentItem:
    """The container that a template of highdicom holds, with our items: its sentence first, the others at its end.

    TID 1411 and 1501 are extensible, and an item of ours may stand between those of the template. A reader should
    meet the sentence before the bare numbers.
    """
    group = cast(hd.sr.ContentItem, template[0])
    sentence, *others = items
    group.ContentSequence = hd.sr.ContentSequence([sentence, *group.ContentSequence, *others])
    group["ContinuityOfContent"].value = "SEPARATE"
    return group
