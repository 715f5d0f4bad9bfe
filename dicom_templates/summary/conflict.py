"""Where the pipeline says that systems disagree: as large as an answer, in its place, and never averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dicom_templates import wording
from dicom_templates.boxes import Box
from dicom_templates.page import Page
from dicom_templates.palette import Ink
from dicom_templates.summary.answer import BESIDE, DISAGREEMENT, REASON, SHORT, TALL, Answer, draw_answer
from dicom_templates.summary.blocks import Block
from pipelines.contract import Code, Findings, Score, Statement

_PAD = 16.0


def conflicts(findings: Findings, scores: Sequence[Score]) -> tuple[Statement, ...]:
    """The disagreements about the outcomes of these scores: their subject names them."""
    outcomes = {score.outcome for score in scores}
    return tuple(
        one
        for one in findings.warnings
        if one.code is Code.SYSTEMS_DISAGREE and any(outcome in one.subject for outcome in outcomes)
    )


def conflict_answer(stated: Sequence[Statement], above: str) -> Answer:
    """What stands at the head of a panel in place of an answer.

    A reason begins with both systems' numbers, which stand below it on the page: they are not repeated.
    """
    reasons = [one.reason.partition("; ")[2] or one.reason for one in stated]
    words = wording.sentence("; ".join(dict.fromkeys(reasons)))
    return Answer(DISAGREEMENT, above, ("SYSTEMS DISAGREE",), words[0].upper() + words[1:], TALL)


def conflict_block(page: Page, width: float, stated: Sequence[Statement], above: str) -> Block | None:
    """A panel of its own, where the numbers in question stand in several panels; None without a disagreement."""
    if not stated:
        return None
    head = conflict_answer(stated, above)
    if page.measure(head.below, REASON) <= width - 2 * _PAD - BESIDE:
        head = replace(head, height=SHORT)
    height = head.height + 2 * _PAD

    def draw(box: Box) -> None:
        page.panel(box, edge=Ink.AMBER, width=6)
        draw_answer(page, box.inset(_PAD), head)

    return Block(height, height, draw)
