"""The life cycles: which moves there are, and that there is no other."""

from __future__ import annotations

from enum import StrEnum

import pytest

from node.errors import IllegalMove
from node.flow import DELIVERY, JOB, PAIR, SEARCH, STUDY, Table, move, sources
from node.records import DeliveryState, JobState, PairState, SearchState, StudyState

CYCLES: list[tuple[Table, type[StrEnum]]] = [
    (STUDY, StudyState),
    (PAIR, PairState),
    (JOB, JobState),
    (DELIVERY, DeliveryState),
    (SEARCH, SearchState),
]
MOVES = [(table, here, there) for table, states in CYCLES for here in states for there in states if here is not there]
LEGAL = [one for one in MOVES if one[2] in one[0][one[1]]]
ILLEGAL = [one for one in MOVES if one[2] not in one[0][one[1]]]


@pytest.mark.parametrize(("table", "states"), CYCLES)
def test_every_state_has_its_line_and_no_other_word_stands_in_the_table(table: Table, states: type[StrEnum]) -> None:
    assert set(table) == set(states)
    for state, targets in table.items():
        assert targets <= set(states)
        assert state not in targets


@pytest.mark.parametrize(("table", "here", "there"), LEGAL)
def test_a_move_of_the_table_gives_the_new_state(table: Table, here: StrEnum, there: StrEnum) -> None:
    assert move(table, here, there) is there


@pytest.mark.parametrize(("table", "here", "there"), ILLEGAL)
def test_any_other_move_raises_and_names_both_states(table: Table, here: StrEnum, there: StrEnum) -> None:
    with pytest.raises(IllegalMove, match=f"{here} may not become {there}"):
        move(table, here, there)


@pytest.mark.parametrize(("table", "states"), CYCLES)
def test_staying_is_allowed(table: Table, states: type[StrEnum]) -> None:
    for state in states:
        assert move(table, state, state) is state


@pytest.mark.parametrize(("table", "states"), CYCLES)
def test_sources_are_the_states_that_lead_somewhere(table: Table, states: type[StrEnum]) -> None:
    for wanted in states:
        assert set(sources(table, wanted)) == {str(here) for here in states if wanted in table[here]}


@pytest.mark.parametrize(("table", "first"), [(STUDY, {"RECEIVING"}), (JOB, {"READY"}), (DELIVERY, {"DUE", "KEPT"})])
def test_every_state_can_be_reached_from_the_first(table: Table, first: set[str]) -> None:
    reached = {state for state in table if state in first}
    while more := set().union(*(table[state] for state in reached)) - reached:
        reached |= more
    assert reached == set(table)


def test_what_is_delivered_scored_or_withdrawn_is_final() -> None:
    final = {state for table in (JOB, DELIVERY) for state, targets in table.items() if not targets}
    assert final == {
        JobState.DONE,
        JobState.ABANDONED,
        JobState.SUPERSEDED,
        DeliveryState.COMMITTED,
        DeliveryState.KEPT,
        DeliveryState.WITHDRAWN,
    }


def test_a_late_object_takes_every_study_back_to_receiving() -> None:
    assert set(sources(STUDY, StudyState.RECEIVING)) == set(StudyState) - {StudyState.RECEIVING}
