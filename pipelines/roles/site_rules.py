"""What a site knows of its own series: rules that name a role where headers would be read otherwise.

A rule decides the role alone. Whether a series is a regular stack, and which b-values it holds, its headers decide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset

from pipelines.contract import Role
from pipelines.headers.attributes import text


@dataclass(frozen=True)
class SiteRule:
    """One rule: every given pattern (Python, searched anywhere in its attribute) has to be found; empty ones not.

    ``role`` is given to what matches, ``OTHER`` refuses it; ``note`` is the site's reason, for the report.
    """

    role: Role
    description: str = ""
    protocol: str = ""
    manufacturer: str = ""
    model: str = ""
    station: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not any(pattern for _, pattern in self._patterns()):
            raise ValueError("a site rule without any pattern would match every series")

    def matches(self, header: Dataset) -> bool:
        """Whether the series with this header is meant."""
        return all(re.search(pattern, text(header, keyword)) for keyword, pattern in self._patterns() if pattern)

    @property
    def reason(self) -> str:
        note = f" ({self.note})" if self.note else ""
        what = "refuses this series" if self.role is Role.OTHER else f"names this series {self.role}"
        return f"a rule of this site {what}{note}"

    def _patterns(self) -> tuple[tuple[str, str], ...]:
        return (
            ("SeriesDescription", self.description),
            ("ProtocolName", self.protocol),
            ("Manufacturer", self.manufacturer),
            ("ManufacturerModelName", self.model),
            ("StationName", self.station),
        )


def site_rule(rules: Sequence[SiteRule], header: Dataset) -> SiteRule | None:
    """The first rule that matches."""
    return next((rule for rule in rules if rule.matches(header)), None)
