"""Where systems have not seen a case like it: said once, above all numbers, with every model's first reason."""

from __future__ import annotations

from dicom_templates import codes, palette, wording
from dicom_templates.boxes import Box
from dicom_templates.page import Page
from dicom_templates.palette import Ink
from dicom_templates.summary.blocks import Block
from dicom_templates.summary.room import NONE, Room
from pipelines.contract import Findings

_PAD = 12.0
_MOST_LINES = 2
_ALL = "OUTSIDE every model's training envelope, no number is reliable"
_SOME = "OUTSIDE the training envelope, not reliable: {} (dim below)"


def all_outside(findings: Findings) -> bool:
    """Whether there are several scores, and the case is unlike what any of their models was trained on."""
    return len(findings.scores) > 1 and not any(score.envelope.inside for score in findings.scores)


def envelope_block(page: Page, width: float, findings: Findings, room: Room) -> Block | None:
    """An amber panel in place of a note below each number; None where these have notes, and where none needs one."""
    outside = [score for score in wording.in_reading_order(findings.scores) if not score.envelope.inside]
    if room.notes != NONE or not outside:
        return None
    reasons = dict.fromkeys(score.envelope.reasons[0] for score in outside if score.envelope.reasons)
    some = _SOME.format(", ".join(codes.outcome(score.outcome).short for score in outside))
    words = wording.sentence(
        "; ".join((_ALL if all_outside(findings) else some, *reasons, "all departures are in the report"))
    )
    lines = page.clipped(words, palette.CHIP, width - 2 * _PAD, _MOST_LINES)
    height = len(lines) * palette.CHIP.line + 2 * _PAD - 4

    def draw(box: Box) -> None:
        page.rounded(box.top(height), Ink.AMBER)
        for number, line in enumerate(lines):
            page.text(box.x + _PAD, box.y + _PAD - 2 + number * palette.CHIP.line, line, palette.CHIP)

    return Block(height, height, draw)
