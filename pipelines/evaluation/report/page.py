"""The report as one page of HTML that needs no other file: pictures are embedded."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipelines.evaluation.report.content import Block, Picture, Report


def _kind(block: Block) -> str:
    return type(block).__name__


def grouped(blocks: Sequence[Block]) -> Iterator[tuple[str, list[Block]]]:
    """Neighbours of one kind together, so that pictures can stand side by side."""
    for kind, group in groupby(blocks, key=_kind):
        yield kind, list(group)


def render_page(report: Report, figures: Path) -> str:
    """The whole page; ``figures``: the folder that the pictures are read from."""
    loader = PackageLoader("pipelines.evaluation", "report")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    pictures = {block.file: _embedded(figures / block.file) for block in report.blocks() if isinstance(block, Picture)}
    template = environment.get_template("page.html.j2")
    return template.render(report=report, pictures=pictures, grouped=grouped) + "\n"


def _embedded(path: Path) -> str:
    return "data:image/png;base64," + b64encode(path.read_bytes()).decode("ascii")
