from __future__ import annotations

from pathlib import Path

import pytest

from node.config import Config, load_config
from node.errors import ConfigError
from node.series_rule import SeriesRule
from pipelines.contract import Role
from pipelines.roles.site_rules import SiteRule

SHIPPED = Path(__file__).resolve().parents[2] / "config.toml"
RULE = """
[[series_rule]]
description = '(?i)^rectum hr'
station = "MR2"
role = "t2_axial"
note = "named by hand"

[[series_rule]]
model = "Skyra"
role = "other"
"""


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    assert load(tmp_path, "").site_rules == ()
    assert load(tmp_path, RULE).site_rules == (
        SiteRule(Role.T2_AXIAL, description="(?i)^rectum hr", station="MR2", note="named by hand"),
        SiteRule(Role.OTHER, model="Skyra"),
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('role = "t2"', ['series_rule[#1].role = "t2"', "t2_axial", "other"]),
        ('role = "dwi"\ndescription = "("', ['series_rule[#1].description = "("', "regular expression"]),
        ('role = "dwi"\nmodel = ".*"', ['series_rule[#1].model = ".*"', "does not match an empty text"]),
        ('role = "dwi"', ["series_rule", "at least one of description, protocol, manufacturer, model, station"]),
        ('description = "x"', ["series_rule[#1].role is missing", "t2_sagittal"]),
        ('role = "dwi"\nmodell = "x"', ["series_rule[#1].modell", "did you mean model?"]),
    ],
)
def test_a_rule_that_cannot_be_used_is_named_with_what_is_allowed(tmp_path: Path, line: str, told: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, f"[[series_rule]]\n{line}\n")
    for words in told:
        assert words in str(refused.value)


def test_the_commented_example_of_the_shipped_file_is_itself_valid(tmp_path: Path) -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    start = lines.index("# [[series_rule]]")
    example = [line.removeprefix("# ") for line in lines[start : lines.index("", start)]]
    (rule,) = load(tmp_path, "\n".join(example)).series_rules
    assert {line.split(" = ")[0] for line in example[1:]} == set(SeriesRule.model_fields)
    assert rule.role is Role.T2_AXIAL


def test_a_single_bracket_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[\[series_rule\]\], with two brackets"):
        load(tmp_path, '[series_rule]\nrole = "dwi"\n')
