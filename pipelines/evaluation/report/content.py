"""What a report says, however it is set: the page (``page.py``) and the PDF (``pdf.py``) set the same blocks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Warned:
    """A paragraph that nobody may overlook."""

    text: str


@dataclass(frozen=True)
class Figure:
    """One of the numbers that the report opens with: ``value`` large, ``label`` above it, ``beside`` below."""

    label: str
    value: str
    beside: str = ""


@dataclass(frozen=True)
class Figures:
    """A row of opening numbers."""

    shown: tuple[Figure, ...]


@dataclass(frozen=True)
class Table:
    """The first column is text, the others are figures; a table of two columns is text throughout.

    ``strong``: the row (from 0) of the model that the report is about. ``note``: below it, what its figures are.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    strong: int | None = None


@dataclass(frozen=True)
class Picture:
    """``file``: its name in ``figures/``. ``caption``: what it shows and what its figures are. ``narrow``: half."""

    file: str
    caption: str
    narrow: bool = False


Block = Words | Warned | Figures | Table | Picture


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """``origin``: on whom the model learnt, the first line of all. ``made``: with what, the last."""

    title: str
    origin: str
    lead: tuple[Block, ...]
    sections: tuple[Section, ...]
    made: str

    def blocks(self) -> tuple[Block, ...]:
        """All blocks, in their order."""
        return (*self.lead, *(block for section in self.sections for block in section.blocks))
