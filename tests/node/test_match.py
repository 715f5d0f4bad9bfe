"""Which exam is the baseline, which are its restagings, and why not: as tables, then for any patient at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.match import MatchingRules, match
from node.records import Decision, Matching, PairState, StudyFacts, StudyState, Verb
from node.therapy import UNKNOWN_THERAPY, Therapy
from pipelines.contract import Patient, Role

FIRST_DAY = date(2024, 1, 1)
RULES = MatchingRules(min_interval_days=21, max_interval_days=400, same_timepoint_days=14, episode_gap_days=730)
FULL = frozenset({Role.T2_AXIAL, Role.DWI, Role.ADC, Role.OTHER})
JANE = Patient("4711", "HOSPITAL", "DOE^JANE", "19500301", "F")
READY, AWAITING_RESTAGING, AWAITING_BASELINE = (
    PairState.READY,
    PairState.AWAITING_RESTAGING,
    PairState.AWAITING_BASELINE,
)


def study(
    uid: str,
    day: int | None,
    words: str = "",
    *,
    roles: frozenset[Role] = FULL,
    patient: Patient = JANE,
    slices: int = 20,
    received: int | None = None,
) -> StudyFacts:
    """A study ``day`` days after the first; received in the order of its UID where nothing else is said."""
    taken = None if day is None else FIRST_DAY + timedelta(days=day)
    hours = received if received is not None else ord(uid[0])
    return StudyFacts(uid, patient, taken, roles, words, slices, datetime(2024, 6, 1) + timedelta(hours=hours))


def pair(baseline: str, restaging: str) -> Decision:
    return Decision(Verb.PAIR, baseline, restaging)


def unpair(baseline: str, restaging: str) -> Decision:
    return Decision(Verb.UNPAIR, baseline, restaging)


def proposals(matching: Matching) -> set[tuple[str, str, PairState]]:
    """Proposals as ('a+b', 'c', state): study UIDs joined, the leading one first."""
    return {("+".join(p.baseline), "+".join(p.restaging), p.state) for p in matching.proposals}


def codes(matching: Matching) -> dict[str, str]:
    return {verdict.study_uid: str(verdict.code) for verdict in matching.verdicts}


def reason(matching: Matching, uid: str) -> str:
    return next(verdict.reason for verdict in matching.verdicts if verdict.study_uid == uid)


TABLE: list[tuple[str, list[StudyFacts], set[tuple[str, str, PairState]], dict[str, str]]] = [
    ("nothing at all", [], set(), {}),
    ("a pair", [study("a", 0), study("b", 100)], {("a", "b", READY)}, {"a": "PAIRED", "b": "PAIRED"}),
    (
        "a baseline that arrives after its restaging",
        [study("a", 0, received=9), study("b", 100, received=1)],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "interim and watch-and-wait exams share the baseline",
        [study("a", 0), study("b", 60), study("c", 150), study("d", 390, "follow-up")],
        {("a", "b", READY), ("a", "c", READY), ("a", "d", READY)},
        dict.fromkeys("abcd", "PAIRED"),
    ),
    (
        "just too early",
        [study("a", 0), study("b", 20)],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING", "b": "INTERVAL_OUTSIDE_WINDOW"},
    ),
    ("first day of the window", [study("a", 0), study("b", 21)], {("a", "b", READY)}, {"a": "PAIRED", "b": "PAIRED"}),
    ("last day of the window", [study("a", 0), study("b", 400)], {("a", "b", READY)}, {"a": "PAIRED", "b": "PAIRED"}),
    (
        "just too late",
        [study("a", 0), study("b", 401)],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING", "b": "INTERVAL_OUTSIDE_WINDOW"},
    ),
    (
        "one inside, one outside",
        [study("a", 0), study("b", 100), study("c", 500)],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED", "c": "INTERVAL_OUTSIDE_WINDOW"},
    ),
    (
        "a watch-and-wait exam two years on does not become a baseline",
        [study("a", 0), study("b", 400), study("c", 800), study("d", 900)],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED", "c": "INTERVAL_OUTSIDE_WINDOW", "d": "INTERVAL_OUTSIDE_WINDOW"},
    ),
    (
        "after a long gap a new episode has a baseline of its own",
        [study("a", 0), study("b", 100), study("c", 1000), study("d", 1100)],
        {("a", "b", READY), ("c", "d", READY)},
        dict.fromkeys("abcd", "PAIRED"),
    ),
    (
        "an exam without a T2 still holds an episode together",
        [study("a", 0), study("b", 700, roles=frozenset({Role.DWI})), study("c", 1400)],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING", "b": "NO_T2_AXIAL", "c": "INTERVAL_OUTSIDE_WINDOW"},
    ),
    (
        "a repeat: the more complete study leads, the other may lend",
        [
            study("a", 0, roles=frozenset({Role.DWI, Role.ADC})),
            study("b", 3),
            study("c", 100, slices=10),
            study("d", 101),
        ],
        {("b+a", "d+c", READY)},
        dict.fromkeys("abcd", "PAIRED"),
    ),
    (
        "the first usable exam is the baseline",
        [study("a", 0, roles=frozenset({Role.T2_SAGITTAL})), study("b", 50), study("c", 150)],
        {("b", "c", READY)},
        {"a": "NO_T2_AXIAL", "b": "PAIRED", "c": "PAIRED"},
    ),
    (
        "no diffusion is no reason to refuse",
        [study("a", 0, roles=frozenset({Role.T2_AXIAL})), study("b", 100, roles=frozenset({Role.T2_AXIAL}))],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "a chest film on the day of the exam is not part of it",
        [
            study("a", 0),
            study("b", 100),
            study("c", 100, roles=frozenset({Role.OTHER})),
            study("d", 0, roles=frozenset()),
        ],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED", "c": "NO_T2_AXIAL", "d": "NO_T2_AXIAL"},
    ),
    ("a lone exam", [study("a", 0)], {("a", "", AWAITING_RESTAGING)}, {"a": "AWAITING_RESTAGING"}),
    (
        "a lone exam that says baseline",
        [study("a", 0, "primary staging")],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING"},
    ),
    (
        "a lone exam that says restaging",
        [study("a", 0, "mrt nach rct")],
        {("", "a", AWAITING_BASELINE)},
        {"a": "AWAITING_BASELINE"},
    ),
    (
        "a lone exam that says both itself",
        [study("a", 0, "restaging vs baseline")],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING"},
    ),
    (
        "words that agree with the dates",
        [study("a", 0, "primärstaging"), study("b", 100, "restaging")],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "the earliest says restaging",
        [study("a", 0, "post crt"), study("b", 100)],
        set(),
        dict.fromkeys("ab", "WORDS_CONTRADICT_DATES"),
    ),
    (
        "a later one says primary staging, and what follows it is as doubtful",
        [study("a", 0), study("b", 100, "restaging"), study("c", 200, "primary staging"), study("d", 300)],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED", "c": "WORDS_CONTRADICT_DATES", "d": "WORDS_CONTRADICT_DATES"},
    ),
    (
        "the second says primary staging",
        [study("a", 0), study("b", 100, "initial staging")],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING", "b": "WORDS_CONTRADICT_DATES"},
    ),
    (
        "one time point says both",
        [study("a", 0, "primary staging"), study("b", 10, "post rt"), study("c", 100)],
        set(),
        dict.fromkeys("abc", "WORDS_CONTRADICT_DATES"),
    ),
    (
        "a later time point says both",
        [study("a", 0), study("b", 100, "primary staging"), study("c", 105, "post rt")],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING", "b": "WORDS_CONTRADICT_DATES", "c": "WORDS_CONTRADICT_DATES"},
    ),
    (
        "no StudyDate",
        [study("a", None), study("b", 100)],
        {("b", "", AWAITING_RESTAGING)},
        {"a": "NO_STUDY_DATE", "b": "AWAITING_RESTAGING"},
    ),
    (
        "no PatientID",
        [study("a", 0, patient=replace(JANE, patient_id="  ")), study("b", 100, patient=replace(JANE, patient_id=""))],
        set(),
        dict.fromkeys("ab", "NO_PATIENT_ID"),
    ),
    (
        "the same ID with another name: the first received keeps it",
        [study("a", 0), study("b", 100, patient=replace(JANE, name="ROE^JANE"))],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING", "b": "IDENTITY_CONFLICT"},
    ),
    (
        "the same ID with another birth date, the older exam received later",
        [study("a", 0, patient=replace(JANE, birth_date="19600301"), received=9), study("b", 100, received=1)],
        {("b", "", AWAITING_RESTAGING)},
        {"a": "IDENTITY_CONFLICT", "b": "AWAITING_RESTAGING"},
    ),
    (
        "the same ID with another sex",
        [study("a", 0), study("b", 100, patient=replace(JANE, sex="M"))],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING", "b": "IDENTITY_CONFLICT"},
    ),
    (
        "two conflicting studies are not paired with one another",
        [
            study("a", 0),
            *(study(uid, day, patient=replace(JANE, name="ROE^JANE")) for uid, day in (("b", 10), ("c", 100))),
        ],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING", "b": "IDENTITY_CONFLICT", "c": "IDENTITY_CONFLICT"},
    ),
    (
        "a blank name is no conflict",
        [study("a", 0), study("b", 100, patient=replace(JANE, name="", birth_date="", sex=""))],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "the same ID under two issuers is two patients",
        [study("a", 0), study("b", 100, patient=replace(JANE, issuer="OTHER"))],
        {("a", "", AWAITING_RESTAGING), ("b", "", AWAITING_RESTAGING)},
        dict.fromkeys("ab", "AWAITING_RESTAGING"),
    ),
]


@pytest.mark.parametrize(("studies", "wanted", "verdicts"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_without_a_decision(studies, wanted, verdicts) -> None:
    matching = match(studies, [], RULES)
    assert proposals(matching) == wanted
    assert codes(matching) == verdicts


ROE = replace(JANE, name="ROE^JANE")
OTHER_ID = replace(JANE, patient_id="4712")
NO_T2 = frozenset({Role.DWI})
DECIDED: list[tuple[str, list[StudyFacts], list[Decision], set[tuple[str, str, PairState]], dict[str, str]]] = [
    (
        "outside the window",
        [study("a", 0), study("b", 500)],
        [pair("a", "b")],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "a week apart",
        [study("a", 0), study("b", 7)],
        [pair("a", "b")],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "on one day",
        [study("a", 0), study("b", 0)],
        [pair("b", "a")],
        {("b", "a", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "against the dates",
        [study("a", 0), study("b", 100)],
        [pair("b", "a")],
        {("b", "a", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "in two episodes",
        [study("a", 0), study("b", 900)],
        [pair("a", "b")],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "against the words",
        [study("a", 0, "post crt"), study("b", 100, "baseline")],
        [pair("a", "b")],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "against the identity",
        [study("a", 0), study("b", 100, patient=ROE)],
        [pair("a", "b")],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "under two PatientIDs",
        [study("a", 0), study("b", 100, patient=OTHER_ID)],
        [pair("a", "b")],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "what is decided of the absent waits",
        [study("a", 0)],
        [pair("a", "b")],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING"},
    ),
    (
        "an exam is not paired with itself",
        [study("a", 0)],
        [pair("a", "a")],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING"},
    ),
    (
        "an exam without T2 stays refused",
        [study("a", 0, roles=NO_T2), study("b", 100)],
        [pair("a", "b")],
        {("b", "", AWAITING_RESTAGING)},
        {"a": "NO_T2_AXIAL", "b": "AWAITING_RESTAGING"},
    ),
    (
        "an exam without a date stays refused",
        [study("a", None), study("b", 100)],
        [pair("a", "b")],
        {("b", "", AWAITING_RESTAGING)},
        {"a": "NO_STUDY_DATE", "b": "AWAITING_RESTAGING"},
    ),
    (
        "the named study leads, its companions follow",
        [study("a", 0, roles=NO_T2), study("b", 1), study("c", 100)],
        [pair("a", "c")],
        {("a+b", "c", READY)},
        dict.fromkeys("abc", "PAIRED"),
    ),
    (
        "another baseline than the first: for this exam and those after it",
        [study("a", 0), study("b", 100), study("c", 200), study("d", 300)],
        [pair("b", "c")],
        {("a", "", AWAITING_RESTAGING), ("b", "c", READY), ("b", "d", READY)},
        {"a": "AWAITING_RESTAGING", "b": "PAIRED", "c": "PAIRED", "d": "PAIRED"},
    ),
    (
        "a restaging exam has one baseline, the last one decided",
        [study("a", 0), study("b", 100), study("c", 200)],
        [pair("a", "c"), pair("b", "c")],
        {("a", "", AWAITING_RESTAGING), ("b", "c", READY)},
        {"a": "AWAITING_RESTAGING", "b": "PAIRED", "c": "PAIRED"},
    ),
    (
        "a decided pair does not take the others' baseline away",
        [study("a", 0), study("b", 100), study("c", 500)],
        [pair("a", "c")],
        {("a", "b", READY), ("a", "c", READY)},
        dict.fromkeys("abc", "PAIRED"),
    ),
    (
        "what follows an exam decided to be a restaging is never a baseline",
        [study("a", 0, patient=ROE, received=999), study("b", 100), study("c", 200)],
        [pair("a", "b")],
        {("a", "b", READY), ("", "c", AWAITING_BASELINE)},
        {"a": "PAIRED", "b": "PAIRED", "c": "AWAITING_BASELINE"},
    ),
    (
        "taken apart",
        [study("a", 0), study("b", 100), study("c", 200)],
        [unpair("a", "b")],
        {("a", "c", READY)},
        {"a": "PAIRED", "b": "TAKEN_APART", "c": "PAIRED"},
    ),
    (
        "the only pair taken apart",
        [study("a", 0), study("b", 100)],
        [unpair("a", "b")],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING", "b": "TAKEN_APART"},
    ),
    (
        "taken apart by the name of a companion, and the wrong way round",
        [study("a", 0), study("b", 1, slices=5), study("c", 100)],
        [unpair("c", "b")],
        {("a+b", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING", "b": "AWAITING_RESTAGING", "c": "TAKEN_APART"},
    ),
    (
        "taken apart, the first says restaging: it waits for its own baseline",
        [study("a", 0, "restaging"), study("b", 100)],
        [unpair("a", "b")],
        {("", "a", AWAITING_BASELINE)},
        {"a": "AWAITING_BASELINE", "b": "TAKEN_APART"},
    ),
    (
        "paired, then taken apart",
        [study("a", 0), study("b", 500)],
        [pair("a", "b"), unpair("a", "b")],
        {("a", "", AWAITING_RESTAGING)},
        {"a": "AWAITING_RESTAGING", "b": "TAKEN_APART"},
    ),
    (
        "taken apart, then paired",
        [study("a", 0), study("b", 100)],
        [unpair("a", "b"), pair("a", "b")],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "paired, then paired the other way",
        [study("a", 0), study("b", 100)],
        [pair("b", "a"), pair("a", "b")],
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "one pair decided, the other automatic of the same exam taken apart",
        [study("a", 0), study("b", 100), study("c", 200)],
        [unpair("a", "c"), pair("b", "c")],
        {("a", "", AWAITING_RESTAGING), ("b", "c", READY)},
        {"a": "AWAITING_RESTAGING", "b": "PAIRED", "c": "PAIRED"},
    ),
]


@pytest.mark.parametrize(
    ("studies", "decisions", "wanted", "verdicts"), [row[1:] for row in DECIDED], ids=[row[0] for row in DECIDED]
)
def test_with_decisions(studies, decisions, wanted, verdicts) -> None:
    matching = match(studies, decisions, RULES)
    assert proposals(matching) == wanted
    assert codes(matching) == verdicts


@pytest.mark.parametrize(
    ("studies", "uid", "parts"),
    [
        ([study("a", 0), study("b", 500)], "b", ["500 days", "2024-01-01", "21 to 400 days", "`restage pair`"]),
        (
            [study("a", 0), study("b", 100, patient=ROE)],
            "b",
            ["PatientName", "'ROE^JANE'", "'DOE^JANE'", "study a", "`restage pair`"],
        ),
        ([study("a", 0)], "a", ["2024-01-01", "may be a baseline or a restaging", "21 to 400 days", "`restage pair`"]),
        ([study("a", 0, "post crt")], "a", ["'post crt'", "baseline is not here", "`restage pair`"]),
        ([study("a", 0, "post crt"), study("b", 100)], "b", ["2024-01-01", "'post crt'", "earliest", "`restage pair`"]),
        (
            [study("a", 0), study("b", 100, "primary staging")],
            "b",
            ["2024-04-10", "'primary staging'", "2024-01-01 is earlier"],
        ),
        ([study("a", None)], "a", ["no StudyDate", "PACS"]),
        ([study("a", 0, roles=NO_T2)], "a", ["axial T2", "dwi"]),
        ([study("a", 0), study("b", 100)], "b", ["baseline of 2024-01-01", "restaging of 2024-04-10", "100 days"]),
    ],
)
def test_a_reason_names_what_it_is_about_and_what_to_do(studies, uid, parts) -> None:
    text = reason(match(studies, [], RULES), uid)
    for part in parts:
        assert part in text, text


def test_a_pair_on_the_patient_id_alone_says_so() -> None:
    blank = replace(JANE, name="", birth_date="")
    alone = match([study("a", 0, patient=blank), study("b", 100)], [], RULES)
    assert "PatientID alone" in alone.proposals[0].reason
    assert "PatientID alone" not in match([study("a", 0), study("b", 100)], [], RULES).proposals[0].reason


def test_a_decided_pair_says_what_the_person_overruled() -> None:
    matching = match([study("a", 0), study("b", 100, patient=ROE)], [pair("a", "b")], RULES)
    assert "paired by a person, overruling IDENTITY_CONFLICT" in matching.proposals[0].reason


def test_states_follow_from_codes() -> None:
    studies = [study("a", 0), study("b", 500), study("c", 100, patient=ROE), study("d", None)]
    states = {verdict.study_uid: verdict.state for verdict in match(studies, [], RULES).verdicts}
    assert states == {
        "a": StudyState.PLANNED,
        "b": StudyState.DECLINED,
        "c": StudyState.QUARANTINED,
        "d": StudyState.QUARANTINED,
    }


def test_two_studies_with_one_uid_are_refused() -> None:
    with pytest.raises(ValueError, match="same UID"):
        match([study("a", 0), study("a", 100)], [], RULES)


UIDS = "abcdefg"
patients = st.sampled_from(
    [JANE, JANE, JANE, ROE, replace(JANE, name=""), replace(JANE, sex="M"), replace(JANE, patient_id=""), OTHER_ID]
)
histories = st.lists(
    st.builds(
        study,
        uid=st.just("x"),
        day=st.one_of(st.integers(0, 1500), st.none()),
        words=st.sampled_from(["", "", "", "restaging", "primary staging", "post crt vs baseline"]),
        roles=st.sampled_from([FULL, FULL, frozenset({Role.T2_AXIAL}), NO_T2, frozenset({Role.OTHER})]),
        patient=patients,
        slices=st.integers(0, 3),
        received=st.integers(0, 3),
    ),
    max_size=len(UIDS),
).map(lambda studies: [replace(each, study_uid=uid) for uid, each in zip(UIDS, studies, strict=False)])
decisions = st.lists(
    st.builds(Decision, st.sampled_from(Verb), st.sampled_from(UIDS), st.sampled_from(UIDS)), max_size=3
)


@settings(max_examples=300, deadline=None)
@given(history=histories, decided=decisions, data=st.data())
def test_the_order_of_the_studies_changes_nothing(
    history: Sequence[StudyFacts], decided: Sequence[Decision], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(history))
    assert match(shuffled, decided, RULES) == match(history, decided, RULES)


@settings(max_examples=300, deadline=None)
@given(history=histories, decided=decisions)
def test_every_study_gets_one_verdict_and_is_planned_exactly_when_it_is_in_a_proposal(
    history: Sequence[StudyFacts], decided: Sequence[Decision]
) -> None:
    matching = match(history, decided, RULES)
    assert [verdict.study_uid for verdict in matching.verdicts] == sorted(each.study_uid for each in history)
    proposed = {uid for proposal in matching.proposals for uid in proposal.baseline + proposal.restaging}
    planned = {verdict.study_uid for verdict in matching.verdicts if verdict.state is StudyState.PLANNED}
    assert planned == proposed
    assert all(verdict.code and verdict.reason for verdict in matching.verdicts)


@settings(max_examples=300, deadline=None)
@given(history=histories, decided=decisions)
def test_what_no_person_decided_keeps_to_identity_dates_and_roles(
    history: Sequence[StudyFacts], decided: Sequence[Decision]
) -> None:
    by_uid = {each.study_uid: each for each in history}
    matching = match(history, decided, RULES)
    keys = [proposal.key for proposal in matching.proposals]
    assert len(keys) == len(set(keys))
    for proposal in matching.proposals:
        exams = [[by_uid[uid] for uid in uids] for uids in (proposal.baseline, proposal.restaging) if uids]
        assert all(any(Role.T2_AXIAL in each.roles for each in exam) for exam in exams)
        assert (proposal.state is READY) == (len(exams) == 2)
        if len(exams) < 2 or Decision(Verb.PAIR, *proposal.key) in decided:
            continue
        baseline, restaging = exams
        assert baseline[0].study_date is not None
        assert restaging[0].study_date is not None
        assert 21 <= (restaging[0].study_date - baseline[0].study_date).days <= 400
        names = {each.patient.name for exam in exams for each in exam} - {""}
        assert len(names) == 1 or not names
        assert len({each.patient.patient_id for exam in exams for each in exam}) == 1
        assert not set(proposal.baseline) & set(proposal.restaging)


# --- therapy -----------------------------------------------------------------------------------------------------

START, END = FIRST_DAY + timedelta(days=10), FIRST_DAY + timedelta(days=80)
IN_THERAPY: list[tuple[str, list[StudyFacts], Therapy, set[tuple[str, str, PairState]], dict[str, str]]] = [
    (
        "around therapy",
        [study("a", 0), study("b", 100)],
        Therapy(START, END),
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "an exam during therapy is no restaging exam, and the one after it is",
        [study("a", 0), study("b", 60), study("c", 100)],
        Therapy(START, END),
        {("a", "c", READY)},
        {"a": "PAIRED", "b": "BEFORE_THERAPY_END", "c": "PAIRED"},
    ),
    (
        "an exam on the last day of therapy may be the restaging exam",
        [study("a", 0), study("b", 80)],
        Therapy(None, END),
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "all exams after therapy began wait for the baseline",
        [study("a", 11), study("b", 100)],
        Therapy(START, END),
        {("", "a", AWAITING_BASELINE), ("", "b", AWAITING_BASELINE)},
        {"a": "AWAITING_BASELINE", "b": "AWAITING_BASELINE"},
    ),
    (
        "of two exams before therapy the last is the baseline",
        [study("a", -30), study("b", 0, "baseline")],
        Therapy(START, None),
        {("b", "", AWAITING_RESTAGING)},
        {"a": "EARLIER_THAN_BASELINE", "b": "AWAITING_RESTAGING"},
    ),
    (
        "the last exam before therapy is paired with the first one after it",
        [study("a", -60, "primary staging"), study("b", 0, "primary staging"), study("c", 100)],
        Therapy(START, END),
        {("b", "c", READY)},
        {"a": "EARLIER_THAN_BASELINE", "b": "PAIRED", "c": "PAIRED"},
    ),
    (
        "the end of an earlier course says nothing of a new one",
        [study("a", 0, "primary staging"), study("b", 100)],
        Therapy(START, FIRST_DAY - timedelta(days=900)),
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
    (
        "a therapy of other years leaves a pair as it is",
        [study("a", 0), study("b", 100)],
        Therapy(FIRST_DAY + timedelta(days=501), FIRST_DAY + timedelta(days=600)),
        {("a", "b", READY)},
        {"a": "PAIRED", "b": "PAIRED"},
    ),
]


@pytest.mark.parametrize(("studies", "therapy", "pairs", "found"), [row[1:] for row in IN_THERAPY], ids=lambda _: "")
def test_the_days_of_therapy_say_what_an_exam_cannot_be(
    studies: list[StudyFacts],
    therapy: Therapy,
    pairs: set[tuple[str, str, PairState]],
    found: dict[str, str],
) -> None:
    matching = match(studies, [], replace(RULES, therapy=therapy))
    assert proposals(matching) == pairs
    assert codes(matching) == found


def test_what_therapy_denies_is_said_with_its_day() -> None:
    rules = replace(RULES, therapy=Therapy(START, END))
    during = match([study("a", 0), study("b", 60)], [], rules)
    assert "taken before therapy ended on 2024-03-21" in reason(during, "b") and "`restage pair`" in reason(during, "b")
    after = match([study("a", 11)], [], rules)
    assert "taken after therapy began on 2024-01-11" in reason(after, "a")


def test_a_person_overrules_therapy() -> None:
    rules = replace(RULES, therapy=Therapy(START, END))
    for studies in ([study("a", 0), study("b", 60)], [study("a", 11), study("b", 100)]):
        assert proposals(match(studies, [pair("a", "b")], rules)) == {("a", "b", READY)}


@pytest.mark.parametrize(
    ("studies", "therapy", "evident"),
    [
        ([study("a", 0)], UNKNOWN_THERAPY, False),
        ([study("a", 0), study("b", 500)], UNKNOWN_THERAPY, False),
        ([study("a", 0, "restaging vs baseline")], UNKNOWN_THERAPY, False),
        ([study("a", 0, "primary staging")], UNKNOWN_THERAPY, True),
        ([study("a", 0, "primary staging"), study("b", 500)], UNKNOWN_THERAPY, True),
        ([study("a", -30)], Therapy(START, None), True),
        ([study("a", -600)], Therapy(START, None), False),
    ],
    ids=lambda _: "",
)
def test_only_words_or_therapy_make_a_lone_exam_an_evident_baseline(
    studies: list[StudyFacts], therapy: Therapy, evident: bool
) -> None:
    (proposal,) = match(studies, [], replace(RULES, therapy=therapy)).proposals
    assert (proposal.is_lone_baseline, proposal.evident) == (evident, evident)
    assert ("may be a baseline or a restaging exam" in proposal.reason) is not evident


def test_a_restaging_exam_or_a_pair_is_no_lone_baseline() -> None:
    for studies in ([study("a", 0, "post crt")], [study("a", 0, "primary staging"), study("b", 100)]):
        (proposal,) = match(studies, [], RULES).proposals
        assert not proposal.is_lone_baseline
