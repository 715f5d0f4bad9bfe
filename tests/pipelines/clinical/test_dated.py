"""Which of a patient's dated values count for a pair of exams."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.clinical.dated import TIME_POINT_OF, DatedValue, Name, Resolved, Stem, finest, named, record_of
from pipelines.clinical.items import ClinicalUnfit
from pipelines.contract import Code, Item, TimePoint, Value

BASELINE, RESTAGING = date(2024, 1, 10), date(2024, 5, 10)
START, END = date(2024, 1, 20), date(2024, 4, 1)


def day(offset: int) -> date:
    """So many days after the baseline exam."""
    return BASELINE + timedelta(days=offset)


def dated(name: Name, value: Value, on: date, source: str = "labs.csv") -> DatedValue:
    return DatedValue(name, value, on, source)


THERAPY = (dated(Item.THERAPY_START, START, START), dated(Item.THERAPY_END, END, END))


def resolved(*values: DatedValue, baseline: date | None = BASELINE, restaging: date | None = RESTAGING) -> Resolved:
    return record_of(values, baseline, restaging)


def values_of(*values: DatedValue, **exams: date | None) -> dict[Item, Value]:
    return dict(resolved(*values, **exams).record.values)


def test_a_stem_has_an_item_for_each_exam() -> None:
    assert Stem.MWT.at(TimePoint.BASELINE) is Item.MWT_BASELINE
    assert {item for item in Item if "baseline" in item or "restaging" in item} == set(TIME_POINT_OF)


@pytest.mark.parametrize(
    ("on", "item"),
    [
        (day(0), Item.EMVI_BASELINE),
        (day(60), Item.EMVI_BASELINE),
        (day(61), Item.EMVI_RESTAGING),
        (RESTAGING, Item.EMVI_RESTAGING),
        (day(-90), Item.EMVI_BASELINE),
        (day(-91), None),
        (RESTAGING + timedelta(days=90), Item.EMVI_RESTAGING),
        (RESTAGING + timedelta(days=91), None),
    ],
)
def test_without_more_a_value_is_of_the_nearer_exam_at_most_90_days_away(on: date, item: Item | None) -> None:
    # 121 days lie between the exams: day 60 is nearer to the first, day 61 to the second.
    assert values_of(dated(Stem.EMVI, "positive", on)) == ({} if item is None else {item: "positive"})


@pytest.mark.parametrize(
    ("on", "item"),
    [
        (START, Item.CRM_BASELINE),
        (END, Item.CRM_RESTAGING),
        (date(2024, 2, 1), Item.CRM_BASELINE),  # during therapy: nearer to the baseline
        (date(2024, 3, 31), Item.CRM_RESTAGING),  # during therapy: nearer to the restaging exam
    ],
)
def test_where_therapy_is_known_it_decides(on: date, item: Item) -> None:
    assert values_of(*THERAPY, dated(Stem.CRM, "negative", on))[item] == "negative"


def test_therapy_decides_against_the_nearer_exam() -> None:
    early_end = dated(Item.THERAPY_END, day(30), day(30))
    assert values_of(early_end, dated(Stem.MWT, 9.0, day(40)))[Item.MWT_RESTAGING] == 9.0
    assert values_of(dated(Stem.MWT, 9.0, day(40))) == {Item.MWT_BASELINE: 9.0}


def test_a_named_exam_decides_against_all_dates() -> None:
    assert values_of(*THERAPY, dated(Item.EMVI_RESTAGING, "negative", day(40)))[Item.EMVI_RESTAGING] == "negative"


def test_a_value_of_an_exam_that_is_not_here_says_nothing() -> None:
    found = resolved(dated(Item.EMVI_RESTAGING, "negative", RESTAGING), restaging=None)
    assert (dict(found.record.values), found.statements) == ({}, ())


def test_the_value_nearest_to_the_exam_counts_and_of_two_as_near_the_later() -> None:
    assert values_of(dated(Stem.MWT, 14.0, day(-20)), dated(Stem.MWT, 12.0, day(3))) == {Item.MWT_BASELINE: 12.0}
    assert values_of(dated(Stem.MWT, 14.0, day(3)), dated(Stem.MWT, 12.0, day(-3))) == {Item.MWT_BASELINE: 14.0}


def test_a_value_that_names_an_exam_far_away_is_stated() -> None:
    found = resolved(dated(Item.EMVI_BASELINE, "positive", day(-91)))
    (statement,) = found.statements
    assert statement.code is Code.CLINICAL_UNFIT and statement.warning
    assert "90 days from the baseline exam of 2024-01-10" in statement.reason


@pytest.mark.parametrize("item", [Item.CEA, Item.CA19_9])
@pytest.mark.parametrize(
    ("offset", "therapy", "used"),
    [(14, (), True), (15, (), False), (-180, (), True), (-181, (), False), (10, THERAPY, True), (11, THERAPY, False)],
)
def test_a_marker_counts_up_to_therapy_or_14_days_after_the_baseline_exam(
    item: Item, offset: int, therapy: tuple[DatedValue, ...], used: bool
) -> None:
    found = resolved(*therapy, dated(item, 7.2, day(offset)))
    assert (found.record.number(item) == 7.2) is used
    assert [statement.code for statement in found.statements] == ([] if used else [Code.CLINICAL_UNFIT])


def test_of_markers_before_therapy_the_newest_counts_and_later_ones_say_nothing() -> None:
    drawn = [dated(Item.CEA, float(offset), day(offset)) for offset in (1, 5, 8, 100)]
    found = resolved(*THERAPY, *drawn)
    assert found.record.number(Item.CEA) == 8.0
    assert found.statements == ()


def test_without_baseline_exam_and_therapy_no_marker_is_surely_one_of_before() -> None:
    found = resolved(dated(Item.CEA, 7.2, day(0)), baseline=None)
    assert dict(found.record.values) == {}
    assert "may be of after therapy" in found.statements[0].reason


def test_pathology_counts_by_its_newest_value() -> None:
    first = dated(Item.YPN_STAGE, "ypN0", RESTAGING + timedelta(days=20))
    revised = dated(Item.YPN_STAGE, "ypN1a", RESTAGING + timedelta(days=30))
    for order in ((first, revised), (revised, first)):
        assert values_of(*order) == {Item.YPN_STAGE: "ypN1a"}


def test_the_origin_says_value_day_and_file() -> None:
    record = resolved(dated(Item.CEA, 7.2, day(0)), dated(Item.EMVI_BASELINE, "positive", day(1))).record
    assert record.origins == {
        Item.CEA: "CEA 7.2 ng/mL of 2024-01-10, imported from labs.csv",
        Item.EMVI_BASELINE: "EMVI at baseline positive of 2024-01-11, imported from labs.csv",
    }
    assert record.dates == {Item.CEA: day(0), Item.EMVI_BASELINE: day(1)}


def test_two_values_of_one_day_are_a_conflict_and_an_older_one_does_not_take_their_place() -> None:
    found = resolved(
        dated(Stem.EMVI, "positive", day(0), "mri.csv"),
        dated(Item.EMVI_BASELINE, "negative", day(0), "board.csv"),
        dated(Item.EMVI_BASELINE, "negative", day(-5)),
    )
    assert dict(found.record.values) == {}
    (statement,) = found.statements
    assert (statement.code, statement.subject) == (Code.CLINICAL_CONFLICT, "clinical record: emvi_baseline")
    assert "imported from mri.csv" in statement.reason and "imported from board.csv" in statement.reason
    assert "neither is used" in statement.reason


def test_a_finer_value_of_the_same_day_is_no_conflict() -> None:
    found = resolved(dated(Stem.MWT, 11.0, day(0)), dated(Item.MWT_BASELINE, 11.2, day(0)))
    assert found.record.number(Item.MWT_BASELINE) == 11.2
    assert found.statements == ()


@pytest.mark.parametrize(
    ("values", "one"),
    [
        (["cT3", "cT3b"], "cT3b"),
        (["cN2a", "cN2a"], "cN2a"),
        (["cT3a", "cT3b"], None),
        (["cT3", "cT4"], None),
        (["positive", "negative"], None),
        ([11.0, 11.5], 11.5),
        ([11.0, 12.0], None),
        ([11.2, 11.3], None),
        ([START, END], None),
    ],
)
def test_what_two_values_say_together(values: list[Value], one: Value | None) -> None:
    assert finest(values) == one
    assert finest(values[::-1]) == one


def test_a_column_and_its_row_name_one_exam() -> None:
    assert named(Stem.CRM, TimePoint.RESTAGING) is Item.CRM_RESTAGING
    assert named(Stem.CRM, None) is Stem.CRM
    assert named(Item.CEA, TimePoint.RESTAGING) is Item.CEA
    with pytest.raises(ClinicalUnfit, match="restaging exam"):
        named(Item.CRM_BASELINE, TimePoint.RESTAGING)


NAMES = st.sampled_from([Stem.MWT, Item.MWT_BASELINE, Item.CEA, Item.AGE_YEARS])
DATED = st.builds(dated, NAMES, st.sampled_from([10.0, 11.0, 11.2]), st.integers(-200, 300).map(day))


@settings(max_examples=60, deadline=None)
@given(st.lists(DATED, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_values_decides_nothing(values: list[DatedValue], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert resolved(*values) == resolved(*shuffled)
