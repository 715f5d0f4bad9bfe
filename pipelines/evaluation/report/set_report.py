"""``metrics.json``, the page and the PDF of one report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.evaluation.report.content import Report
from pipelines.evaluation.report.page import render_page
from pipelines.evaluation.report.pdf import write_pdf

METRICS = "metrics.json"


def set_report(report: Report, metrics: Mapping[str, Any], folder: Path) -> None:
    """Into ``folder``, whose ``figures`` the report names."""
    (folder / METRICS).write_text(
        json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
    (folder / "report.html").write_text(render_page(report, folder / "figures"), encoding="utf-8")
    write_pdf(report, folder / "figures", folder / "report.pdf")
