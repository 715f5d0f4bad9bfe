"""The findings on one page: pictures and measurements at the left, predictions and what is to be noted at the right.

As a Secondary Capture image it is filed in the restaging study, or the only exam's. It carries the patient's name in
its pixels and says so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_templates.boxes import Box
from dicom_templates.identity import ResultIdentity, phantom_trained
from dicom_templates.kinds import Kind
from dicom_templates.page import Page
from dicom_templates.secondary_capture import Capture, build_capture
from dicom_templates.sources import reported_exam, study_header
from dicom_templates.summary.adc import adc_block
from dicom_templates.summary.blocks import Block, draw_blocks, least_height
from dicom_templates.summary.changes import changes_block, reported_block
from dicom_templates.summary.conflict import conflict_block, conflicts
from dicom_templates.summary.envelope import all_outside, envelope_block
from dicom_templates.summary.frame import HEIGHT, MARGIN, WIDTH, draw_footer, draw_header, footer_top
from dicom_templates.summary.pictures import draw_pictures
from dicom_templates.summary.response import response_block, responses
from dicom_templates.summary.risk import ABOVE, risk_block, risks
from dicom_templates.summary.room import LEVELS, TOLD_ABOVE, Room
from dicom_templates.summary.statements import (
    clinical_block,
    inputs_block,
    none_block,
    series_block,
    statement_block,
)
from pipelines.contract import Code, Findings, Statement

_LEFT, _BETWEEN = 938.0, 30.0


def render_summary(findings: Findings, identity: ResultIdentity) -> NDArray[np.uint8]:
    """The page as uint8 (rows, columns, RGB)."""
    page = Page(WIDTH, HEIGHT)
    draw_summary(page, findings, identity)
    return page.pixels()


def build_summary(findings: Findings, identity: ResultIdentity) -> Dataset:
    """The page as a Secondary Capture Image object."""
    capture = Capture(
        Kind.SUMMARY,
        identity.description("rectal MR summary page", phantom_trained(findings)),
        identity.version,
        study_header(reported_exam(findings.case)),
    )
    return build_capture(render_summary(findings, identity), capture, identity)


def draw_summary(page: Page, findings: Findings, identity: ResultIdentity) -> None:
    """Everything that is on the page."""
    reported_exam(findings.case)
    top = draw_header(page, findings, identity) + 26
    bottom = footer_top(page, findings) - 24
    left = Box(MARGIN, top, _LEFT, bottom - top)
    right = Box(left.right + _BETWEEN, top - 6, page.width - MARGIN - left.right - _BETWEEN, bottom - top + 6)
    below = (changes_block(page, _LEFT, findings), reported_block(page, _LEFT, findings))
    needed = sum(block.least + 16 for block in below if block is not None)
    y = draw_pictures(page, left.top(left.height - needed), findings)
    draw_blocks(left.below(y + 8), below)
    for room in TOLD_ABOVE if all_outside(findings) else LEVELS:
        told = _right(page, right.width, (findings, identity), room)
        if least_height(told) <= right.height:
            break
    draw_blocks(right, told)
    draw_footer(page, findings, identity)


def _right(page: Page, width: float, told: tuple[Findings, ResultIdentity], room: Room) -> tuple[Block | None, ...]:
    """The blocks of the right-hand column, from top to bottom."""
    findings, identity = told
    about_risk = conflicts(findings, risks(findings))
    elsewhere = {*about_risk, *conflicts(findings, responses(findings)), *_told(findings, identity)}
    return (
        envelope_block(page, width, findings, room),
        response_block(page, width, findings, room),
        conflict_block(page, width, about_risk, ABOVE),
        risk_block(page, width, findings, room if about_risk else replace(room, heads=True)),
        None if findings.scores else none_block(page, width, findings),
        statement_block(page, width, findings, frozenset(elsewhere)),
        clinical_block(page, findings.scores),
        adc_block(page, findings),
        inputs_block(page, width, findings.scores),
        series_block(page, findings),
    )


def _told(findings: Findings, identity: ResultIdentity) -> set[Statement]:
    """What is said elsewhere on the page: below a score, or in the strip below the patient."""
    told = {
        Code.OUT_OF_ENVELOPE: any(not score.envelope.inside for score in findings.scores),
        Code.READER_MASK_USED: identity.version > 1,
    }
    return {one for one in findings.warnings if told.get(one.code, False)}
