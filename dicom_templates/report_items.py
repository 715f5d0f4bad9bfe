"""Content items of the report, one line each (PS3.3 C.17.3)."""

from __future__ import annotations

from collections.abc import Iterable

import highdicom as hd
from highdicom.sr import RelationshipTypeValues as Relationship
from pydicom.sr.coding import Code as Concept

from dicom_templates import codes


def text(name: Concept, value: str) -> hd.sr.ContentItem:
    """TEXT, contained."""
    return hd.sr.TextContentItem(name=name, value=value, relationship_type=Relationship.CONTAINS)


def comment(value: str) -> hd.sr.ContentItem:
    """A sentence for a person."""
    return text(codes.COMMENT, value)


def code(name: Concept, value: Concept) -> hd.sr.ContentItem:
    """CODE, contained."""
    return hd.sr.CodeContentItem(name=name, value=value, relationship_type=Relationship.CONTAINS)


def number(name: Concept, value: float, unit: Concept) -> hd.sr.ContentItem:
    """NUM without children: some viewers drop a number that has any."""
    return hd.sr.NumContentItem(name=name, value=value, unit=unit, relationship_type=Relationship.CONTAINS)


def container(
    name: Concept, children: Iterable[hd.sr.ContentItem], template_id: str | None = None
) -> hd.sr.ContainerContentItem:
    """CONTAINER, contained, with its children."""
    item = hd.sr.ContainerContentItem(name=name, relationship_type=Relationship.CONTAINS, template_id=template_id)
    item.ContentSequence = hd.sr.ContentSequence(list(children))
    return item
