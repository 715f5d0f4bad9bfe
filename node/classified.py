"""`restage classify`: the roles of all series below a folder, as data and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from pipelines.contract import Role, SeriesRole
from pipelines.headers.files import Skipped, find_files, read_files
from pipelines.roles.site_rules import SiteRule
from pipelines.roles.study_roles import classified


@dataclass(frozen=True)
class Classified:
    """Every series of a folder with its role, and the files that were left out."""

    roles: tuple[SeriesRole, ...]
    skipped: tuple[Skipped, ...]


def classify_folder(folder: Path, rules: Sequence[SiteRule] = ()) -> Classified:
    """Read and classify what lies below a folder, by the site's own rules first.

    Raises FileNotFoundError or NotADirectoryError.
    """
    found = read_files(find_files(folder))
    return Classified(tuple(role for _, role in classified(found.series, rules)), found.skipped)


def render_classified(found: Classified) -> Table:
    """A table for a terminal."""
    table = Table(expand=True)
    for heading in ("role", "b-values", "confidence", "series", "reason"):
        table.add_column(heading, overflow="fold")
    for role in found.roles:
        style = "dim" if role.role is Role.OTHER else ""
        b_values = " ".join(f"{b:g}" for b in role.b_values)
        name = escape(role.description or role.series_uid)
        table.add_row(str(role.role), b_values, f"{role.confidence:.2f}", name, escape(role.reason), style=style)
    return table
