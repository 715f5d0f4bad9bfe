"""After a restart with changed rules what was planned before is planned once more, and only then."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from node.due import PatientKey
from node.match import MatchingRules
from node.plan import Planner
from node.revision import FILE, Revision, fingerprint
from node.schema import series_table
from pipelines.contract import Role
from pipelines.masks.annotations import DEFAULT_ROI_PATTERN
from pipelines.roles.site_rules import SiteRule
from tests.dicom_files import BASELINE, RESTAGING, exam, of_other_patient, t2_axial
from tests.node.conftest import Bench, result

RULE = SiteRule(Role.OTHER, description="diff", note="broken coil")


def restarted(bench: Bench, *rules: SiteRule) -> int:
    """As `restage serve` does after its start; how many patients were planned once more."""
    planner = Planner(bench.database, bench.store, MatchingRules(), series_rules=rules)
    revision = Revision(bench.database, bench.store.folder, fingerprint(rules, DEFAULT_ROI_PATTERN))
    planner.plan_due()
    planned = 0
    while revision.plan_next(partial(planner.plan, anew=True)):
        planned += 1
    return planned


@pytest.fixture
def scored(bench: Bench) -> Bench:
    """A node whose first start is over, with a pair that has been scored."""
    restarted(bench)
    bench.receive(*exam(BASELINE), *exam(RESTAGING))
    bench.settle_and_plan()
    bench.finish(bench.claim(), [result()])
    return bench


def test_a_restart_with_the_same_rules_plans_nobody(scored: Bench) -> None:
    assert restarted(scored) == 0
    assert scored.jobs() == [(1, "DONE")]


def test_a_changed_rule_makes_a_new_version_of_pairs_whose_inputs_it_changes_once(scored: Bench) -> None:
    other = [of_other_patient(replace(BASELINE, number=11)), of_other_patient(replace(RESTAGING, number=12))]
    scored.receive(*t2_axial(other[0]), *t2_axial(other[1]))
    scored.settle_and_plan()
    assert restarted(scored, RULE) == 2
    assert scored.jobs() == [(1, "DONE"), (1, "READY"), (2, "READY")], "the other pair has no diffusion to lose"
    roles = {row.series_uid: row.code for row in scored.rows(series_table)}
    assert roles[BASELINE.series_uid(2)] == "SITE_RULE"
    assert restarted(scored, RULE) == 0


def test_an_exam_that_was_declined_is_planned_when_a_rule_names_its_series(bench: Bench) -> None:
    restarted(bench, SiteRule(Role.OTHER, description="t2"))
    bench.receive(*exam(BASELINE))
    planner = Planner(bench.database, bench.store, MatchingRules(), series_rules=(SiteRule(Role.OTHER, "t2"),))
    bench.settle_and_plan()
    planner.plan(PatientKey(bench.study(BASELINE.uid).patient_id, bench.study(BASELINE.uid).issuer), anew=True)
    assert bench.study(BASELINE.uid).state == "DECLINED"
    restarted(bench)
    assert bench.study(BASELINE.uid).state == "PLANNED"


def test_another_pattern_for_outlines_is_another_rule() -> None:
    assert fingerprint((), "a") != fingerprint((), "b")
    assert fingerprint((RULE,), "a") != fingerprint((), "a")
    assert fingerprint((RULE,), "a") == fingerprint((SiteRule(Role.OTHER, "diff", note="broken coil"),), "a")


def test_a_patient_of_whom_something_arrives_comes_later_and_a_broken_one_stops_nobody(scored: Bench) -> None:
    scored.receive(*exam(of_other_patient(replace(BASELINE, number=11))))
    revision = Revision(scored.database, scored.store.folder, "other rules")
    seen: list[str] = []

    def fail(key: PatientKey) -> None:
        seen.append(key.patient_id)
        raise RuntimeError("broken")

    assert revision.plan_next(fail)
    assert not revision.plan_next(fail)
    assert seen == ["P1"]
    assert (scored.store.folder / FILE).read_text() != "other rules", "it is not over yet"
    scored.settle_and_plan()
    assert revision.plan_next(fail)
    assert seen == ["P1", "P2"]
    assert (scored.store.folder / FILE).read_text() == "other rules"
