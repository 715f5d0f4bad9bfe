"""From settled studies to pairs and jobs, or a stated refusal; what arrives later, and what persons decide."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pydicom import Dataset
from sqlalchemy import update

from node import decide, jobs, ledger, outbox
from node.clinical import import_values
from node.clinical_file import PatientValue
from node.due import PatientKey
from node.gather import gather_case, inputs_digest
from node.match import MatchingRules
from node.plan import Planner
from node.schema import clinical_value_table, decision_table, delivery_table, job_table, pair_table, series_table
from node.settle import settle
from node.status import read_status
from pipelines.clinical.dated import DatedValue
from pipelines.contract import Item, Role, Value
from pipelines.roles.site_rules import SiteRule
from tests.dicom_files import (
    BASELINE,
    RESTAGING,
    computed_tomogram,
    dwi,
    exam,
    localizer,
    mask,
    of_other_patient,
    report,
    t2_axial,
)
from tests.node.conftest import AT_ONCE, Bench, result

PLANNED = {BASELINE.uid: "PLANNED", RESTAGING.uid: "PLANNED"}
READY_PAIR = ([BASELINE.uid], [RESTAGING.uid], "READY")


@pytest.fixture
def paired(bench: Bench) -> Bench:
    bench.receive(*exam(BASELINE), *exam(RESTAGING))
    bench.settle_and_plan()
    assert bench.jobs() == [(1, "READY")]
    return bench


@pytest.fixture
def delivered(paired: Bench) -> Bench:
    paired.finish(paired.claim(), [result("seg", "1.2.3.1"), result("report", "1.2.3.2")])
    return paired


def deliveries(bench: Bench) -> list[str]:
    return [row.state for row in bench.rows(delivery_table)]


def test_a_lone_exam_waits_and_says_for_what(bench: Bench) -> None:
    bench.receive(*exam(BASELINE))
    bench.settle_and_plan()
    study = bench.study(BASELINE.uid)
    assert study.state == "PLANNED"
    assert study.code == "AWAITING_RESTAGING"
    assert "only exam here" in study.reason
    assert bench.pairs() == [([BASELINE.uid], [], "AWAITING_RESTAGING")]
    assert bench.jobs() == []


def test_a_baseline_and_its_restaging_exam_make_a_pair_and_a_job(paired: Bench) -> None:
    assert paired.states() == PLANNED
    assert paired.pairs() == [READY_PAIR]
    (job,) = paired.rows(job_table)
    assert (job.baseline, job.restaging) == ([BASELINE.uid], [RESTAGING.uid])
    assert job.inputs_digest == paired.rows(pair_table)[0].inputs_digest != ""
    assert "91 days apart" in paired.study(RESTAGING.uid).reason


def test_the_series_of_a_study_are_kept_with_their_roles_and_reasons(bench: Bench) -> None:
    bench.receive(*exam(BASELINE), report(BASELINE), computed_tomogram(BASELINE))
    bench.settle_and_plan()
    found = {row.series_uid: (row.role, row.code, row.images) for row in bench.rows(series_table)}
    assert found == {
        BASELINE.series_uid(1): ("t2_axial", "", 5),
        BASELINE.series_uid(2): ("dwi", "", 10),
        BASELINE.series_uid(3): ("other", "LOCALIZER", 1),
        BASELINE.series_uid(4): ("other", "NOT_AN_IMAGE", 1),
        BASELINE.series_uid(9): ("other", "NOT_MR", 1),
    }
    assert all(row.reason for row in bench.rows(series_table))


def test_the_sites_own_rules_decide_roles_and_inputs(bench: Bench) -> None:
    bench.receive(*exam(BASELINE), *exam(RESTAGING))
    settle(bench.database, AT_ONCE)
    rule = SiteRule(Role.OTHER, description="diff", note="broken coil")
    Planner(bench.database, bench.store, MatchingRules(), series_rules=(rule,)).plan_due()
    found = {row.series_uid: (row.role, row.code) for row in bench.rows(series_table)}
    assert found[BASELINE.series_uid(2)] == ("other", "SITE_RULE")
    case = gather_case(bench.database, bench.store, (BASELINE.uid,), (RESTAGING.uid,), (rule,))
    assert bench.rows(job_table)[0].inputs_digest == inputs_digest(case)


@pytest.mark.parametrize("order", list(itertools.permutations([BASELINE, RESTAGING])))
def test_a_baseline_that_arrives_after_its_restaging_exam_completes_the_pair_as_well(
    bench: Bench, order: tuple[Any, ...]
) -> None:
    for study in order:
        bench.receive(*exam(study))
        bench.settle_and_plan()
    assert bench.states() == PLANNED
    assert [pair for pair in bench.pairs() if pair[2] == "READY"] == [READY_PAIR]
    assert {pair[2] for pair in bench.pairs()} <= {"READY", "SUPERSEDED"}
    assert bench.jobs() == [(1, "READY")]


def test_a_restaging_exam_by_its_words_waits_for_its_baseline(bench: Bench) -> None:
    bench.receive(*exam(replace(RESTAGING, description="MR Rektum Restaging")))
    bench.settle_and_plan()
    assert bench.study(RESTAGING.uid).code == "AWAITING_BASELINE"
    bench.receive(*exam(BASELINE))
    bench.settle_and_plan()
    assert bench.pairs() == [READY_PAIR]


def test_nothing_is_planned_while_anything_of_the_patient_arrives(bench: Bench) -> None:
    bench.receive(*exam(BASELINE))
    assert bench.planner.plan_due() == 0
    bench.settle_and_plan()
    bench.receive(*exam(RESTAGING))
    assert bench.planner.plan_due() == 0
    assert bench.jobs() == []


def test_planning_again_changes_nothing(paired: Bench) -> None:
    assert paired.settle_and_plan() == 0
    paired.receive(*exam(BASELINE))
    assert paired.settle_and_plan() == 0
    assert paired.jobs() == [(1, "READY")]


def test_another_patient_is_another_pair(paired: Bench) -> None:
    other = [of_other_patient(replace(BASELINE, number=11)), of_other_patient(replace(RESTAGING, number=12))]
    paired.receive(*exam(other[0]), *exam(other[1]))
    paired.settle_and_plan()
    assert len(paired.pairs()) == 2
    assert paired.jobs() == [(1, "READY"), (1, "READY")]


def test_two_restaging_exams_pair_with_the_same_baseline(paired: Bench) -> None:
    later = replace(RESTAGING, number=3, date="20240701")
    paired.receive(*exam(later))
    paired.settle_and_plan()
    assert paired.pairs() == [READY_PAIR, ([BASELINE.uid], [later.uid], "READY")]
    assert paired.jobs() == [(1, "READY"), (1, "READY")]


def late_slices() -> list[Dataset]:
    return t2_axial(RESTAGING, slices=6)[5:]


@pytest.mark.parametrize("late", [late_slices(), dwi(RESTAGING, (50, 800, 1000))[10:], [mask(RESTAGING)]])
def test_a_late_image_or_mask_makes_the_next_version(delivered: Bench, late: list[Dataset]) -> None:
    delivered.receive(*late)
    delivered.settle_and_plan()
    assert delivered.study(RESTAGING.uid).generation == 2
    assert delivered.pairs() == [READY_PAIR]
    assert delivered.jobs() == [(1, "DONE"), (2, "READY")]
    assert delivered.claim().version == 2


@pytest.mark.parametrize(
    "late", [[report(RESTAGING)], [computed_tomogram(BASELINE)], [report(BASELINE), computed_tomogram(RESTAGING)]]
)
def test_a_late_object_that_is_not_chosen_scores_nothing(delivered: Bench, late: list[Dataset]) -> None:
    delivered.receive(*late)
    assert delivered.settle_and_plan() == 1
    assert delivered.states() == PLANNED
    assert delivered.jobs() == [(1, "DONE")]
    assert deliveries(delivered) == ["DUE", "DUE"]


def test_a_late_localizer_scores_nothing(bench: Bench) -> None:
    bench.receive(*t2_axial(BASELINE), *t2_axial(RESTAGING))
    bench.settle_and_plan()
    bench.receive(*localizer(RESTAGING))
    bench.settle_and_plan()
    assert bench.jobs() == [(1, "READY")]
    assert bench.study(RESTAGING.uid).generation == 2


def test_a_late_slice_while_the_job_waits_supersedes_it(paired: Bench) -> None:
    paired.receive(*late_slices())
    paired.settle_and_plan()
    assert paired.jobs() == [(1, "SUPERSEDED"), (2, "READY")]


def test_a_late_slice_while_the_job_runs_abandons_its_result(paired: Bench) -> None:
    ticket = paired.claim()
    paired.receive(*late_slices())
    paired.settle_and_plan()
    assert paired.finish(ticket, [result()]) == "ABANDONED"
    assert paired.jobs() == [(1, "ABANDONED"), (2, "READY")]


def test_a_study_that_nothing_can_be_measured_in_is_declined_with_the_reason(bench: Bench) -> None:
    bench.receive(*dwi(BASELINE), *localizer(BASELINE))
    bench.settle_and_plan()
    study = bench.study(BASELINE.uid)
    assert (study.state, study.code) == ("DECLINED", "NO_T2_AXIAL")
    assert "dwi" in study.reason
    bench.receive(*t2_axial(BASELINE))
    bench.settle_and_plan()
    assert bench.study(BASELINE.uid).state == "PLANNED"


def test_an_interval_outside_the_window_is_declined_with_both_numbers(bench: Bench) -> None:
    bench.receive(*exam(BASELINE), *exam(replace(RESTAGING, date="20240130")))
    bench.settle_and_plan()
    study = bench.study(RESTAGING.uid)
    assert (study.state, study.code) == ("DECLINED", "INTERVAL_OUTSIDE_WINDOW")
    assert "20 days" in study.reason
    assert "21 to 400" in study.reason


def test_an_identity_conflict_waits_for_a_person_and_is_scored_after_the_decision(bench: Bench) -> None:
    bench.receive(*exam(BASELINE))
    bench.receive(*exam(replace(RESTAGING, name="DOE^JOHN", sex="M")))
    bench.settle_and_plan()
    study = bench.study(RESTAGING.uid)
    assert (study.state, study.code) == ("QUARANTINED", "IDENTITY_CONFLICT")
    assert "DOE^JOHN" in study.reason
    assert bench.jobs() == []
    decide.pair(bench.database, BASELINE.uid, RESTAGING.uid)
    assert bench.settle_and_plan() == 1
    assert bench.states() == PLANNED
    assert bench.pairs() == [READY_PAIR]
    assert bench.jobs() == [(1, "READY")]
    assert bench.settle_and_plan() == 0


def test_a_study_with_objects_of_two_patients_waits_for_a_person(bench: Bench) -> None:
    bench.receive(*exam(BASELINE), *exam(RESTAGING)[:-1], *localizer(of_other_patient(RESTAGING)))
    bench.settle_and_plan()
    study = bench.study(RESTAGING.uid)
    assert (study.state, study.code) == ("QUARANTINED", "IDENTITY_CONFLICT")
    assert "two patients" in study.reason
    assert bench.jobs() == []
    assert bench.study(BASELINE.uid).state == "PLANNED"


def test_a_pair_whose_files_do_not_go_together_is_declined_and_planned_once(bench: Bench) -> None:
    """Same ID, but one series of the study has another birth date: nothing but the files themselves shows it."""
    bench.receive(*exam(BASELINE), *t2_axial(RESTAGING), *dwi(replace(RESTAGING, birth_date="19990101")))
    bench.settle_and_plan()
    study = bench.study(RESTAGING.uid)
    assert (study.state, study.code) == ("DECLINED", "PATIENTS_DIFFER")
    assert bench.jobs() == []
    decide.pair(bench.database, BASELINE.uid, RESTAGING.uid)
    assert bench.settle_and_plan() == 1
    assert bench.settle_and_plan() == 0


def test_an_unfit_exam_does_not_decline_the_baseline_that_another_pair_has(paired: Bench) -> None:
    later = replace(RESTAGING, number=3, date="20240701")
    paired.receive(*t2_axial(later), *dwi(replace(later, birth_date="19990101")))
    paired.settle_and_plan()
    assert paired.states() == {**PLANNED, later.uid: "DECLINED"}
    assert paired.jobs() == [(1, "READY")]


def test_taking_a_pair_apart_withdraws_it_and_what_it_would_still_send(delivered: Bench) -> None:
    first, _ = outbox.claim(delivered.database, "pacs")
    outbox.sent(delivered.database, first, 0)
    decide.unpair(delivered.database, 1)
    assert delivered.settle_and_plan() == 1
    assert delivered.pairs()[0][2] == "WITHDRAWN"
    assert delivered.rows(pair_table)[0].reason == "taken apart by a person"
    assert deliveries(delivered)[0] == "SENT"
    assert outbox.claim(delivered.database, "pacs") == ()
    assert delivered.withdrawals() == [(1, "READY")]
    assert delivered.study(RESTAGING.uid).code == "TAKEN_APART"
    assert delivered.settle_and_plan() == 0


def test_a_pair_of_which_nothing_was_sent_needs_no_withdrawal(delivered: Bench) -> None:
    decide.unpair(delivered.database, 1)
    delivered.settle_and_plan()
    assert delivered.withdrawals() == []


def test_a_withdrawal_goes_out_although_its_pair_is_none_any_more(delivered: Bench) -> None:
    first, _ = outbox.claim(delivered.database, "pacs")
    outbox.sent(delivered.database, first, 0)
    decide.unpair(delivered.database, 1)
    delivered.settle_and_plan()
    assert delivered.finish(delivered.claim(), [result("withdrawn", "1.2.3.9")]) == "DONE"
    assert [parcel.result.kind for parcel in outbox.claim(delivered.database, "pacs")] == ["withdrawn"]


def test_a_pair_put_together_again_before_its_withdrawal_was_made_needs_none(delivered: Bench) -> None:
    first, _ = outbox.claim(delivered.database, "pacs")
    outbox.sent(delivered.database, first, 0)
    decide.unpair(delivered.database, 1)
    delivered.settle_and_plan()
    decide.pair(delivered.database, BASELINE.uid, RESTAGING.uid)
    delivered.settle_and_plan()
    assert delivered.withdrawals() == [(1, "SUPERSEDED")]
    assert delivered.jobs() == [(1, "DONE"), (2, "READY")]


def test_a_pair_that_is_retired_twice_is_withdrawn_once(delivered: Bench) -> None:
    first, _ = outbox.claim(delivered.database, "pacs")
    outbox.sent(delivered.database, first, 0)
    decide.unpair(delivered.database, 1)
    delivered.settle_and_plan()
    # The pair waits again, as when one of its exams is declined for a while, and is then taken apart once more.
    with delivered.database.transaction() as connection:
        connection.execute(update(pair_table).where(pair_table.c.id == 1).values(state="AWAITING_RESTAGING"))
    decide.unpair(delivered.database, 1)
    delivered.settle_and_plan()
    assert delivered.pairs()[0][2] == "WITHDRAWN"
    assert delivered.withdrawals() == [(1, "READY")]


def test_while_a_merge_is_arriving_the_study_waits_and_what_was_sent_is_withdrawn(delivered: Bench) -> None:
    for parcel in outbox.claim(delivered.database, "pacs"):
        outbox.sent(delivered.database, parcel, 0)
    delivered.receive(exam(of_other_patient(RESTAGING))[0])
    delivered.settle_and_plan()
    assert delivered.study(RESTAGING.uid).code == "IDENTITY_CONFLICT"
    assert delivered.rows(pair_table)[0].reason == "an exam of this pair holds objects of two patients"
    assert delivered.withdrawals() == [(1, "READY")]


def test_a_study_sent_again_under_another_patient_is_that_patients_and_its_old_pair_is_withdrawn(
    delivered: Bench,
) -> None:
    for parcel in outbox.claim(delivered.database, "pacs"):
        outbox.sent(delivered.database, parcel, 0)
    delivered.receive(*exam(of_other_patient(RESTAGING)))
    delivered.settle_and_plan()
    moved = delivered.study(RESTAGING.uid)
    assert (moved.patient_id, moved.conflict) == ("P2", "")
    assert delivered.rows(pair_table)[0].reason == "an exam of this pair now belongs to another patient"
    assert delivered.pairs()[0][2] == "SUPERSEDED"
    assert delivered.withdrawals() == [(1, "READY")]


def test_a_patient_merged_in_the_pacs_has_the_pair_under_the_new_id(delivered: Bench) -> None:
    for parcel in outbox.claim(delivered.database, "pacs"):
        outbox.sent(delivered.database, parcel, 0)
    delivered.receive(*exam(of_other_patient(BASELINE)), *exam(of_other_patient(RESTAGING)))
    delivered.settle_and_plan()
    assert [row.patient_id for row in delivered.rows(pair_table)] == ["P1", "P2"]
    shown = {patient["patient_id"]: len(patient["pairs"]) for patient in read_status(delivered.database)["patients"]}
    assert shown == {"P1": 1, "P2": 1}, "what became of the old pair stays in sight"
    assert [state for _, _, state in delivered.pairs()] == ["SUPERSEDED", "READY"]
    assert delivered.withdrawals() == [(1, "READY")]
    assert delivered.jobs() == [(1, "DONE"), (1, "READY")]


def test_taking_a_pair_apart_stops_the_job_that_waits(paired: Bench) -> None:
    decide.unpair(paired.database, 1)
    paired.settle_and_plan()
    assert paired.jobs() == [(1, "SUPERSEDED")]


@pytest.mark.parametrize("scored", ["waiting", "running", "done"])
def test_a_pair_taken_apart_and_paired_again_is_scored_and_sent(paired: Bench, scored: str) -> None:
    ticket = None if scored == "waiting" else paired.claim()
    if ticket is not None and scored == "done":
        paired.finish(ticket, [result("report", "1.2.3.1")])
    decide.unpair(paired.database, 1)
    paired.settle_and_plan()
    decide.pair(paired.database, BASELINE.uid, RESTAGING.uid)
    paired.settle_and_plan()
    assert READY_PAIR in paired.pairs()
    if ticket is not None and scored == "running":
        assert paired.finish(ticket, [result("report", "1.2.3.1")]) == "ABANDONED"
    again = paired.claim()
    assert again.version == 2
    assert paired.finish(again, [result("report", "1.2.3.2")]) == "DONE"
    assert [parcel.result.sop_uid for parcel in outbox.claim(paired.database, "pacs")] == ["1.2.3.2"]


def test_an_earlier_exam_that_arrives_late_becomes_the_baseline(delivered: Bench) -> None:
    earlier = replace(BASELINE, number=3, date="20231101")
    delivered.receive(*exam(earlier))
    delivered.settle_and_plan()
    now = {(tuple(pair[0]), tuple(pair[1])): pair[2] for pair in delivered.pairs()}
    assert now[(BASELINE.uid,), (RESTAGING.uid,)] == "SUPERSEDED"
    assert now[(earlier.uid,), (BASELINE.uid,)] == "READY"
    assert now[(earlier.uid,), (RESTAGING.uid,)] == "READY"
    assert outbox.claim(delivered.database, "pacs") == ()


def test_a_complement_of_the_same_days_lends_and_makes_the_next_version(bench: Bench) -> None:
    bench.receive(*exam(BASELINE), *t2_axial(RESTAGING))
    bench.settle_and_plan()
    complement = replace(RESTAGING, number=3, date="20240412")
    bench.receive(*dwi(complement))
    bench.settle_and_plan()
    assert bench.pairs() == [([BASELINE.uid], [RESTAGING.uid, complement.uid], "READY")]
    assert bench.jobs() == [(1, "SUPERSEDED"), (2, "READY")]


class Interrupted(Planner):
    """A planner during whose work something happens."""

    def __init__(self, bench: Bench, happens: Any) -> None:
        super().__init__(bench.database, bench.store, MatchingRules())
        object.__setattr__(self, "happens", happens)

    def _digested(self, matching: Any) -> Any:
        self.happens()
        return super()._digested(matching)


def test_a_plan_is_dropped_when_an_object_arrives_meanwhile(bench: Bench) -> None:
    bench.receive(*exam(BASELINE), *exam(RESTAGING))
    settle(bench.database, AT_ONCE)
    Interrupted(bench, lambda: bench.receive(*late_slices())).plan_due()
    assert bench.jobs() == []
    assert bench.pairs() == []
    bench.settle_and_plan()
    assert bench.jobs() == [(1, "READY")]


def test_a_decision_made_meanwhile_is_not_lost(paired: Bench) -> None:
    paired.receive(*late_slices())
    settle(paired.database, AT_ONCE)
    Interrupted(paired, lambda: decide.unpair(paired.database, 1)).plan_due()
    assert [row.applied for row in paired.rows(decision_table)] == [False]
    paired.settle_and_plan()
    assert paired.pairs()[0][2] == "WITHDRAWN"


def test_one_patient_that_cannot_be_planned_does_not_stop_the_others(paired: Bench) -> None:
    class Failing(Planner):
        def plan(self, key: Any) -> None:
            if key.patient_id == "P1":
                raise RuntimeError("broken")
            super().plan(key)

    other = of_other_patient(replace(BASELINE, number=11))
    paired.receive(*late_slices(), *exam(other))
    settle(paired.database, AT_ONCE)
    assert Failing(paired.database, paired.store, MatchingRules()).plan_due() == 2
    assert paired.states()[other.uid] == "PLANNED"
    assert paired.states()[RESTAGING.uid] == "SETTLED"


# --- what the worker finds otherwise than it was planned ----------------------------------------------------------

NO_DIFFUSION = SiteRule(Role.OTHER, description="diff", note="broken coil")


def with_rules(bench: Bench, *rules: SiteRule) -> Planner:
    """The planner of a node that was started with these rules."""
    return Planner(bench.database, bench.store, MatchingRules(), series_rules=rules)


def digest(bench: Bench, *rules: SiteRule) -> str:
    return inputs_digest(gather_case(bench.database, bench.store, (BASELINE.uid,), (RESTAGING.uid,), rules))


def test_a_pair_whose_job_was_abandoned_is_planned_anew_with_the_rules_in_force(paired: Bench) -> None:
    jobs.abandon(paired.database, paired.claim(), "chosen otherwise")
    assert with_rules(paired, NO_DIFFUSION).plan_due() == 1
    assert paired.jobs() == [(1, "ABANDONED"), (2, "READY")]
    assert paired.rows(job_table)[1].inputs_digest == digest(paired, NO_DIFFUSION) != digest(paired)
    roles = {row.series_uid: row.code for row in paired.rows(series_table)}
    assert roles[BASELINE.series_uid(2)] == roles[RESTAGING.series_uid(2)] == "SITE_RULE"
    assert with_rules(paired, NO_DIFFUSION).plan_due() == 0


def test_a_planner_and_a_worker_that_never_agree_end_with_words_for_a_person(paired: Bench) -> None:
    for _ in range(10):
        if (ticket := jobs.claim(paired.database, 60.0)) is not None:
            jobs.abandon(paired.database, ticket, "chosen otherwise")
        paired.planner.plan_due()
    assert paired.jobs() == [(1, "ABANDONED"), (2, "ABANDONED"), (3, "FAILED")]
    (patient,) = read_status(paired.database)["patients"]
    assert "restart `restage serve`" in patient["pairs"][0]["jobs"][-1]["reason"]
    (pair,) = paired.rows(pair_table)
    with_rules(paired, NO_DIFFUSION).plan(PatientKey(pair.patient_id, pair.issuer), anew=True)  # after that restart
    assert paired.jobs()[2:] == [(3, "SUPERSEDED"), (4, "READY")]


def test_an_exam_that_arrives_meanwhile_is_waited_for_before_an_abandoned_pair_is_planned(paired: Bench) -> None:
    jobs.abandon(paired.database, paired.claim(), "chosen otherwise")
    paired.receive(*late_slices())
    assert paired.planner.plan_due() == 0
    paired.settle_and_plan()
    assert paired.jobs() == [(1, "ABANDONED"), (2, "READY")]


# --- clinical values ---------------------------------------------------------------------------------------------


def take(bench: Bench, item: Item, value: Value, on: date) -> None:
    import_values(bench.database, [PatientValue("P1", "", DatedValue(item, value, on, "labs.csv"))])
    bench.settle_and_plan()


def test_a_value_that_is_imported_later_makes_a_new_version_and_an_unrelated_one_none(delivered: Bench) -> None:
    take(delivered, Item.CEA, 7.2, date(2024, 1, 9))
    assert delivered.jobs() == [(1, "DONE"), (2, "READY")]
    take(delivered, Item.CEA, 7.2, date(2024, 1, 9))
    take(delivered, Item.CEA, 1.0, date(2024, 4, 9))
    assert delivered.jobs() == [(1, "DONE"), (2, "READY")]
    assert [row.planned for row in delivered.rows(clinical_value_table)] == [True, True]


def test_a_therapy_that_begins_before_the_baseline_takes_the_pair_back(delivered: Bench) -> None:
    take(delivered, Item.THERAPY_START, date(2024, 1, 2), date(2024, 1, 2))
    assert delivered.study(BASELINE.uid).code == "AWAITING_BASELINE"
    assert "after therapy began on 2024-01-02" in delivered.study(BASELINE.uid).reason
    assert (*READY_PAIR[:2], "SUPERSEDED") in delivered.pairs()
    assert deliveries(delivered) == ["WITHDRAWN", "WITHDRAWN"]


def test_a_pair_of_a_person_stays_whatever_is_known_of_therapy(delivered: Bench) -> None:
    decide.pair(delivered.database, BASELINE.uid, RESTAGING.uid)
    take(delivered, Item.THERAPY_START, date(2024, 1, 2), date(2024, 1, 2))
    assert delivered.pairs() == [READY_PAIR]


# --- a baseline without its restaging exam -----------------------------------------------------------------------


STAGING = replace(BASELINE, description="MR Becken Primärstaging")


@pytest.fixture
def alone(bench: Bench) -> Bench:
    """A baseline alone, with its result on the way."""
    bench = replace(bench, alone=True)
    bench.receive(*exam(STAGING))
    bench.settle_and_plan()
    return bench


def sent_alone(bench: Bench) -> None:
    assert bench.finish(bench.claim(), [result("report", "1.2.3.1")]) == "DONE"
    for parcel in outbox.claim(bench.database, "pacs"):
        outbox.sent(bench.database, parcel, 0)


def test_a_lone_baseline_is_scored_by_itself_and_goes_on_waiting(alone: Bench) -> None:
    assert alone.pairs() == [([BASELINE.uid], [], "AWAITING_RESTAGING")]
    (job,) = alone.rows(job_table)
    assert (job.baseline, job.restaging, job.version) == ([BASELINE.uid], [], 1)
    assert job.inputs_digest == inputs_digest(gather_case(alone.database, alone.store, (BASELINE.uid,), ()))
    sent_alone(alone)
    (pair,) = read_status(alone.database)["patients"][0]["pairs"]
    assert (pair["state"], pair["version"]) == ("AWAITING_RESTAGING", 1)
    assert "Awaits an exam 21 to 400 days later" in pair["reason"] and "scored by itself" in pair["reason"]
    assert [one["state"] for one in pair["deliveries"]] == ["SENT"]
    assert alone.settle_and_plan() == 0


def test_the_restaging_exam_makes_the_next_version_of_the_same_number(alone: Bench) -> None:
    sent_alone(alone)
    alone.receive(*exam(RESTAGING))
    alone.settle_and_plan()
    assert alone.pairs() == [READY_PAIR]
    assert alone.jobs() == [(1, "DONE"), (2, "READY")]
    ticket = alone.claim()
    assert (ticket.pair_id, ticket.restaging) == (1, (RESTAGING.uid,))
    replaced = ledger.previous_results(alone.database, ticket, "", ["pacs"])
    assert [one.sop_uid for one in replaced] == ["1.2.3.1"]
    assert alone.withdrawals() == []


@pytest.mark.parametrize("running", [False, True])
def test_a_restaging_exam_overtakes_the_job_of_the_lone_baseline(alone: Bench, running: bool) -> None:
    ticket = alone.claim() if running else None
    alone.receive(*exam(RESTAGING))
    alone.settle_and_plan()
    if ticket is not None:
        assert alone.finish(ticket, [result()]) == "ABANDONED"
    assert alone.jobs() == [(1, "ABANDONED" if running else "SUPERSEDED"), (2, "READY")]


def test_a_value_that_is_imported_later_scores_the_lone_baseline_again(alone: Bench) -> None:
    sent_alone(alone)
    take(alone, Item.CEA, 7.2, date(2024, 1, 9))
    assert alone.jobs() == [(1, "DONE"), (2, "READY")]
    assert alone.pairs() == [([BASELINE.uid], [], "AWAITING_RESTAGING")]


@pytest.mark.parametrize("words", ["MR Rektum Restaging", "MR nach RCT"])
def test_what_may_be_a_restaging_exam_is_not_scored_as_a_baseline(bench: Bench, words: str) -> None:
    bench = replace(bench, alone=True)
    bench.receive(*exam(replace(RESTAGING, description=words)))
    bench.settle_and_plan()
    assert bench.study(RESTAGING.uid).code == "AWAITING_BASELINE"
    assert bench.jobs() == []
    assert bench.settle_and_plan() == 0


def test_an_only_exam_that_says_nothing_waits_until_the_start_of_therapy_is_known(bench: Bench) -> None:
    bench = replace(bench, alone=True)
    bench.receive(*exam(BASELINE))
    bench.settle_and_plan()
    assert bench.pairs() == [([BASELINE.uid], [], "AWAITING_RESTAGING")]
    assert "may be a baseline or a restaging exam" in bench.study(BASELINE.uid).reason
    assert bench.jobs() == []
    assert bench.settle_and_plan() == 0
    take(bench, Item.THERAPY_START, date(2024, 2, 1), date(2024, 2, 1))
    assert "a baseline, because therapy began on 2024-02-01" in bench.study(BASELINE.uid).reason
    assert bench.jobs() == [(1, "READY")]


def test_a_lone_baseline_that_may_be_none_any_more_is_withdrawn_and_scored_again_when_it_is_one(bench: Bench) -> None:
    bench = replace(bench, alone=True)
    bench.receive(*exam(BASELINE))
    take(bench, Item.THERAPY_START, date(2024, 2, 1), date(2024, 2, 1))
    sent_alone(bench)
    take(bench, Item.THERAPY_START, date(2014, 2, 1), date(2024, 2, 1))
    assert bench.pairs() == [([BASELINE.uid], [], "SUPERSEDED"), ([BASELINE.uid], [], "AWAITING_RESTAGING")]
    assert [row.task for row in bench.rows(job_table) if row.state == "READY"] == ["withdraw"]
    assert "may be a baseline or a restaging exam" in bench.rows(pair_table)[0].reason
    assert bench.settle_and_plan() == 0
    take(bench, Item.THERAPY_START, date(2024, 2, 2), date(2024, 2, 2))
    (scored,) = [row for row in bench.rows(job_table) if row.state == "READY" and row.task == "score"]
    assert scored.version == 2
    assert sum(state == "AWAITING_RESTAGING" for *_, state in bench.pairs()) == 1


def test_an_exam_during_therapy_is_not_scored_as_a_baseline(bench: Bench) -> None:
    bench = replace(bench, alone=True)
    take(bench, Item.THERAPY_START, date(2024, 1, 2), date(2024, 1, 2))
    bench.receive(*exam(STAGING))
    bench.settle_and_plan()
    assert bench.jobs() == []


def test_a_lone_baseline_whose_files_do_not_go_together_is_declined(bench: Bench) -> None:
    bench = replace(bench, alone=True)
    bench.receive(*t2_axial(STAGING), *dwi(replace(STAGING, birth_date="19990101")))
    bench.settle_and_plan()
    assert bench.study(BASELINE.uid).code == "PATIENTS_DIFFER"
    assert bench.jobs() == []


def test_baselines_that_waited_before_the_node_scored_them_are_scored_after_its_restart(bench: Bench) -> None:
    bench.receive(*exam(STAGING))
    bench.settle_and_plan()
    assert bench.jobs() == []
    after = replace(bench, alone=True)
    assert after.planner.plan_due() == 1
    assert after.jobs() == [(1, "READY")]
    assert after.planner.plan_due() == 0


def test_a_lone_job_that_was_abandoned_is_planned_anew_and_by_a_node_that_scores_none_no_more(alone: Bench) -> None:
    jobs.abandon(alone.database, alone.claim(), "chosen otherwise")
    assert replace(alone, alone=False).planner.plan_due() == 0
    assert alone.planner.plan_due() == 1
    assert alone.jobs() == [(1, "ABANDONED"), (2, "READY")]


def test_a_pair_taken_apart_leaves_a_lone_baseline_whose_count_goes_on(alone: Bench) -> None:
    """Objects made of the baseline alone have its UID and their version in theirs: a number is never used twice."""
    sent_alone(alone)
    alone.receive(*exam(RESTAGING))
    alone.settle_and_plan()
    assert alone.finish(alone.claim(), [result("report", "1.2.3.2")]) == "DONE"
    decide.unpair(alone.database, 1)
    alone.settle_and_plan()
    assert alone.pairs() == [(*READY_PAIR[:2], "WITHDRAWN"), ([BASELINE.uid], [], "AWAITING_RESTAGING")]
    put = {(row.pair_id, row.version, row.task) for row in alone.rows(job_table)}
    assert put == {(1, 1, "score"), (1, 2, "score"), (1, 2, "withdraw"), (2, 3, "score")}
