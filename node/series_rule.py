"""``[[series_rule]]`` of config.toml: what a site knows of its own series."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from node.config_errors import Section, refuse
from pipelines.contract import Role
from pipelines.roles.site_rules import SiteRule

MATCHES = ("description", "protocol", "manufacturer", "model", "station")


def _check_pattern(value: str) -> str:
    try:
        found = re.compile(value).search("")
    except re.error as error:
        raise ValueError(str(error)) from error
    if found:
        raise ValueError("matches everything")
    return value


def _check_note(value: str) -> str:
    text = value.strip()
    if text and not text.isprintable():
        raise ValueError("control characters")
    return text


Pattern = Annotated[
    str | None,
    AfterValidator(lambda value: value if value is None else _check_pattern(value)),
    Field(description="a Python regular expression in quotes that does not match an empty text"),
]


class SeriesRule(Section):
    """One rule: all the patterns that are given have to be found, and ``role`` is what the series then is."""

    description: Pattern = None
    protocol: Pattern = None
    manufacturer: Pattern = None
    model: Pattern = None
    station: Pattern = None
    role: Annotated[Role, Field(strict=False, description=f"one of {', '.join(Role)}")]
    note: Annotated[
        str, AfterValidator(_check_note), Field(max_length=200, description="up to 200 characters in quotes")
    ] = ""

    @model_validator(mode="after")
    def _something_matches(self) -> Self:
        if not any(getattr(self, name) for name in MATCHES):
            refuse("series_rule", str(self.role), f"a rule with at least one of {', '.join(MATCHES)} beside its role")
        return self

    def rule(self) -> SiteRule:
        """The same as the pipeline takes it."""
        patterns = {name: getattr(self, name) or "" for name in MATCHES}
        return SiteRule(role=self.role, note=self.note, **patterns)
