"""Which exam is the baseline, and which are its restagings, or why not. Pure; the same for any order of the studies.

Dates decide, words are evidence, identity is a condition, and a person's decision overrules all three.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from node.exams import DatedExam, group_into_exams, has_a_role, split_into_episodes
from node.identity import is_confirmed, tell_apart
from node.records import Decision, Matching, PairState, Proposal, StudyFacts, StudyState, Verb, Verdict
from node.therapy import UNKNOWN_THERAPY, Therapy
from pipelines.contract import Code, TimePoint


@dataclass(frozen=True)
class MatchingRules:
    """The windows of matching, in days between StudyDates; ``[matching]`` in config.toml explains each.

    ``therapy``: the patient's, where it is known: what was taken after its start is no baseline, what was taken before
    its end no restaging exam.
    """

    min_interval_days: int = 21
    max_interval_days: int = 400
    same_timepoint_days: int = 14
    episode_gap_days: int = 730
    therapy: Therapy = UNKNOWN_THERAPY


class MatchCode(StrEnum):
    """The outcome for a study, beside those of :class:`pipelines.contract.Code`. Published; never renamed."""

    PAIRED = "PAIRED"
    AWAITING_BASELINE = "AWAITING_BASELINE"
    AWAITING_RESTAGING = "AWAITING_RESTAGING"
    NO_PATIENT_ID = "NO_PATIENT_ID"
    NO_STUDY_DATE = "NO_STUDY_DATE"
    IDENTITY_CONFLICT = "IDENTITY_CONFLICT"
    WORDS_CONTRADICT_DATES = "WORDS_CONTRADICT_DATES"
    INTERVAL_OUTSIDE_WINDOW = "INTERVAL_OUTSIDE_WINDOW"
    BEFORE_THERAPY_END = "BEFORE_THERAPY_END"
    EARLIER_THAN_BASELINE = "EARLIER_THAN_BASELINE"
    TAKEN_APART = "TAKEN_APART"


@dataclass(frozen=True)
class _Decided:
    """What persons decided, the last word on each: pairs (baseline, restaging) and couples taken apart."""

    pairs: tuple[tuple[str, str], ...]
    apart: frozenset[frozenset[str]]

    @property
    def named(self) -> frozenset[str]:
        return frozenset(uid for pair in self.pairs for uid in pair)

    def are_a_pair(self, first: str, second: str) -> bool:
        return (first, second) in self.pairs or (second, first) in self.pairs

    def are_apart(self, first: DatedExam, second: DatedExam) -> bool:
        return any(frozenset((one, other)) in self.apart for one in first.uids for other in second.uids)


@dataclass(frozen=True)
class _Outcome:
    """Proposals, and refusals for the studies that are in none."""

    proposals: tuple[Proposal, ...] = ()
    refusals: tuple[Verdict, ...] = ()

    def __add__(self, other: _Outcome) -> _Outcome:
        return _Outcome(self.proposals + other.proposals, self.refusals + other.refusals)


def match(studies: Sequence[StudyFacts], decisions: Sequence[Decision], rules: MatchingRules) -> Matching:
    """Match all settled studies of one (PatientID, issuer); decisions in the order in which they were made.

    Studies of several patients may be given together (a person may pair across a wrong PatientID): without a decision
    they are never paired. Every study gets one verdict. Raises ValueError where two studies have one UID.
    """
    by_uid = {study.study_uid: study for study in studies}
    if len(by_uid) != len(studies):
        raise ValueError("two of the studies have the same UID")
    decided = _last_words(decisions)
    clear, quarantined = _check_identities(studies)
    exams = {
        patient: group_into_exams(filter(has_a_role, theirs), rules.same_timepoint_days, decided.are_a_pair)
        for patient, theirs in clear.items()
    }
    place = {study.study_uid: DatedExam((study,)) for study in studies if study.study_date is not None}
    place |= {uid: exam for theirs in exams.values() for exam in theirs for uid in exam.uids}
    decided = _feasible(decided, place)

    outcome = _Outcome(refusals=tuple(quarantined))
    outcome += _carry_out(decided, place, {verdict.study_uid: verdict.code for verdict in quarantined})
    for patient in sorted(exams):
        for episode in split_into_episodes(exams[patient], rules.episode_gap_days):
            outcome += _match_episode([exam for exam in episode if exam.is_usable], decided, rules)
    return Matching(outcome.proposals, tuple(_verdict(by_uid[uid], outcome) for uid in sorted(by_uid)))


def without_advice(reason: str) -> str:
    """What a verdict or proposal says of an exam, without what a person at the node can do about it."""
    return _ADVICE.split(reason)[0]


def _last_words(decisions: Sequence[Decision]) -> _Decided:
    """The last decision on two exams holds, whichever way round; a restaging exam has one baseline."""
    baseline_of: dict[str, str] = {}
    apart: set[frozenset[str]] = set()
    for decision in decisions:
        baseline, restaging = decision.baseline_uid, decision.restaging_uid
        couple = frozenset((baseline, restaging))
        apart.discard(couple)
        for one, other in ((baseline, restaging), (restaging, baseline)):
            if baseline_of.get(one) == other:
                del baseline_of[one]
        if decision.verb is Verb.UNPAIR:
            apart.add(couple)
        elif baseline != restaging:
            baseline_of[restaging] = baseline
    return _Decided(
        tuple(sorted((baseline, restaging) for restaging, baseline in baseline_of.items())), frozenset(apart)
    )


def _check_identities(
    studies: Sequence[StudyFacts],
) -> tuple[dict[tuple[str, str], tuple[StudyFacts, ...]], list[Verdict]]:
    """The studies that may be matched by themselves, per (PatientID, issuer), and a verdict for each other one."""
    groups: dict[tuple[str, str], list[StudyFacts]] = {}
    quarantined = []
    for study in studies:
        patient = (study.patient.patient_id.strip(" \0"), study.patient.issuer.strip(" \0"))
        if study.study_date is None:
            reason = (
                "it has no StudyDate, so its place before or after therapy is unknown; mend it in the PACS, send again"
            )
            quarantined.append(_quarantine(study, MatchCode.NO_STUDY_DATE, reason))
        elif not patient[0]:
            reason = f"it has no PatientID, so it belongs to nobody; send it again with one, or decide with {_PAIR}"
            quarantined.append(_quarantine(study, MatchCode.NO_PATIENT_ID, reason))
        else:
            groups.setdefault(patient, []).append(study)
    clear = {}
    for patient, theirs in groups.items():
        identities = tell_apart(theirs)
        clear[patient] = identities.accepted
        for study, differences in identities.conflicts:
            reason = (
                f"same PatientID, but {' and '.join(map(str, differences))}; if it is one person, decide with {_PAIR}"
            )
            quarantined.append(_quarantine(study, MatchCode.IDENTITY_CONFLICT, reason))
    return clear, quarantined


def _feasible(decided: _Decided, place: dict[str, DatedExam]) -> _Decided:
    """Only the decided pairs of which both exams are here, dated and usable: the rest is matched as if undecided."""
    pairs = tuple(pair for pair in decided.pairs if all(uid in place and place[uid].is_usable for uid in pair))
    return _Decided(pairs, decided.apart)


def _carry_out(decided: _Decided, place: dict[str, DatedExam], overruled: dict[str, str]) -> _Outcome:
    """A READY proposal for each pair a person decided; their studies lead, companions of the same exam follow."""
    proposals = []
    for pair in decided.pairs:
        baseline, restaging = (place[uid].led_by(uid, without=decided.named) for uid in pair)
        codes = sorted({overruled[uid] for uid in pair if uid in overruled})
        note = f", overruling {' and '.join(codes)}" if codes else ""
        reason = f"{_dates(baseline, restaging)}; paired by a person{note}"
        proposals.append(Proposal(baseline.uids, restaging.uids, PairState.READY, reason))
    return _Outcome(tuple(proposals))


def _match_episode(exams: Sequence[DatedExam], decided: _Decided, rules: MatchingRules) -> _Outcome:
    """Usable exams of one episode, in order of date: the first is the baseline, until a person names another one."""
    rules = replace(rules, therapy=rules.therapy.among([exam.date for exam in exams], rules.max_interval_days))
    baselines, restagings = ({pair[side] for pair in decided.pairs} for side in (0, 1))
    outcome = _Outcome()
    segments: list[list[DatedExam]] = [[]]
    for exam in exams:
        if baselines.intersection(exam.uids):
            segments.append([])
        segments[-1].append(exam)
    for segment in filter(None, segments):
        free = [exam for exam in segment if not restagings.intersection(exam.uids) or exam is segment[0]]
        first, later = free[0], free[1:]
        if baselines.intersection(first.uids):
            outcome += _match_to_baseline(first, later, decided, rules)
        elif restagings.intersection(first.uids):
            outcome += _Outcome(tuple(_await_baseline(exam, _FOLLOWS_A_RESTAGING) for exam in later))
        else:
            outcome += _match_to_first(first, later, decided, rules)
    return outcome


def _match_to_first(first: DatedExam, later: Sequence[DatedExam], decided: _Decided, rules: MatchingRules) -> _Outcome:
    """The first usable exam is the baseline by its date, or the last one before therapy where its start is known,
    unless therapy had begun; words that deny it, or themselves, go to a person."""
    if why := rules.therapy.denies_baseline(first.date):
        return _Outcome(tuple(_await_baseline(exam, why) for exam in (first, *later)))
    start = rules.therapy.start
    if start is not None and (nearer := [exam for exam in later if exam.date <= start]):
        reason = (
            f"therapy began on {start}, and the exam of {nearer[-1].date} is the last before it; {_PAIR} overrules it"
        )
        earlier = [first, *nearer[:-1]]
        after = [exam for exam in later if exam.date > start]
        outcome = _refuse(earlier, StudyState.DECLINED, MatchCode.EARLIER_THAN_BASELINE, reason)
        return outcome + _match_to_first(nearer[-1], after, decided, rules)
    said = first.said
    doubted_by = [exam for exam in later if not decided.are_apart(first, exam)]
    if len(said) > 1 or (TimePoint.RESTAGING in said and doubted_by):
        doubt = _contradiction(first, "it is the earliest exam here" if len(said) == 1 else "both stand in one exam")
        taken, left = (_Outcome(refusals=_take_apart(first, later, decided)), doubted_by)
        return taken + _refuse([first, *left], StudyState.QUARANTINED, MatchCode.WORDS_CONTRADICT_DATES, doubt)
    outcome = _match_to_baseline(first, later, decided, rules)
    if not outcome.proposals:
        outcome += _Outcome((_lone(first, later, rules),))
    return outcome


def _match_to_baseline(
    baseline: DatedExam, later: Sequence[DatedExam], decided: _Decided, rules: MatchingRules
) -> _Outcome:
    """Every later exam inside the window is a restaging. From one that calls itself a baseline on, a person decides."""
    outcome = _Outcome(refusals=_take_apart(baseline, later, decided))
    rest = [exam for exam in later if not decided.are_apart(baseline, exam)]
    for position, exam in enumerate(rest):
        if why := rules.therapy.denies_restaging(exam.date):
            reason = f"exam of {exam.date}: {why}, so it is no restaging exam; {_PAIR} overrules it"
            outcome += _refuse([exam], StudyState.DECLINED, MatchCode.BEFORE_THERAPY_END, reason)
            continue
        if TimePoint.BASELINE in exam.said:
            doubt = _contradiction(exam, f"an exam of {baseline.date} is earlier")
            code = MatchCode.WORDS_CONTRADICT_DATES
            return outcome + _refuse(rest[position:], StudyState.QUARANTINED, code, doubt)
        days = (exam.date - baseline.date).days
        if rules.min_interval_days <= days <= rules.max_interval_days:
            reason = f"{_dates(baseline, exam)}{_identity_note(baseline, exam)}"
            outcome += _Outcome((Proposal(baseline.uids, exam.uids, PairState.READY, reason),))
        else:
            window = f"the window of {rules.min_interval_days} to {rules.max_interval_days} days"
            reason = f"{days} days after the baseline exam of {baseline.date}, outside {window}; {_PAIR} overrules it"
            outcome += _refuse([exam], StudyState.DECLINED, MatchCode.INTERVAL_OUTSIDE_WINDOW, reason)
    return outcome


def _take_apart(baseline: DatedExam, later: Sequence[DatedExam], decided: _Decided) -> tuple[Verdict, ...]:
    reason = f"taken apart by a person from the baseline exam of {baseline.date}; {_PAIR} pairs it again"
    apart = [exam for exam in later if decided.are_apart(baseline, exam)]
    return _refuse(apart, StudyState.DECLINED, MatchCode.TAKEN_APART, reason).refusals


def _lone(exam: DatedExam, later: Sequence[DatedExam], rules: MatchingRules) -> Proposal:
    """An exam that has no partner: what is awaited, and what would settle whether it is baseline or restaging."""
    said = exam.said
    if TimePoint.RESTAGING in said:
        return _await_baseline(exam, f"its words say '{said[TimePoint.RESTAGING]}'")
    here = "no restaging exam is here"
    if later:
        here = f"no later exam is its restaging (those here: {', '.join(str(other.date) for other in later)})"
    evident = True
    if rules.therapy.start is not None:
        reason = f"a baseline, because therapy began on {rules.therapy.start}, and {here}"
    elif TimePoint.BASELINE in said:
        reason = f"a baseline by its words ('{said[TimePoint.BASELINE]}'), and {here}"
    else:
        evident = False
        reason = f"{here if later else 'the only exam here'}, so it may be a baseline or a restaging exam; {_SETTLES}"
    window = f"{rules.min_interval_days} to {rules.max_interval_days} days"
    reason = f"exam of {exam.date}: {reason}. Awaits an exam {window} later, or {_PAIR}"
    return Proposal(exam.uids, (), PairState.AWAITING_RESTAGING, reason, evident)


def _await_baseline(exam: DatedExam, why: str) -> Proposal:
    reason = f"exam of {exam.date}: a restaging exam ({why}) whose baseline is not here. Awaits that exam, or {_PAIR}"
    return Proposal((), exam.uids, PairState.AWAITING_BASELINE, reason)


def _contradiction(exam: DatedExam, but: str) -> str:
    words = " and ".join(f"'{word}'" for _, word in sorted(exam.said.items()))
    return f"the words of the exam of {exam.date} say {words}, but {but}; a person decides with {_PAIR}"


def _identity_note(baseline: DatedExam, restaging: DatedExam) -> str:
    if is_confirmed(baseline.studies[0].patient, restaging.studies[0].patient):
        return ""
    return "; one person by PatientID alone: no name or birth date stands in both"


def _dates(baseline: DatedExam, restaging: DatedExam) -> str:
    days = (restaging.date - baseline.date).days
    return f"baseline of {baseline.date}, restaging of {restaging.date}, {days} days apart"


def _refuse(exams: Iterable[DatedExam], state: StudyState, code: str, reason: str) -> _Outcome:
    return _Outcome(refusals=tuple(Verdict(uid, state, code, reason) for exam in exams for uid in exam.uids))


def _quarantine(study: StudyFacts, code: str, reason: str) -> Verdict:
    return Verdict(study.study_uid, StudyState.QUARANTINED, code, reason)


def _verdict(study: StudyFacts, outcome: _Outcome) -> Verdict:
    """A proposal outweighs a refusal; a study that is in neither is in no usable exam."""
    uid = study.study_uid
    theirs = [proposal for proposal in outcome.proposals if uid in proposal.baseline + proposal.restaging]
    if theirs:
        ready = any(proposal.state is PairState.READY for proposal in theirs)
        code = MatchCode.PAIRED if ready else MatchCode(str(theirs[0].state))
        return Verdict(uid, StudyState.PLANNED, code, "; ".join(proposal.reason for proposal in theirs))
    refusal = next((verdict for verdict in outcome.refusals if verdict.study_uid == uid), None)
    if refusal is not None:
        return refusal
    roles = ", ".join(sorted(study.roles)) or "none"
    reason = (
        f"neither it nor an exam near it has a usable axial T2, which every measurement needs (roles here: {roles})"
    )
    return Verdict(uid, StudyState.DECLINED, Code.NO_T2_AXIAL, reason)


_PAIR = "`restage pair`"
_ADVICE = re.compile(r"; `restage|\. Awaits ")
_SETTLES = "another exam of the patient settles it, or the date on which therapy began (`restage clinical import`)"
_FOLLOWS_A_RESTAGING = "it follows one that a person paired as restaging"
