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


def test_of_markers_before_therapy_the_newest_counts() -> None:
    found = resolved(*THERAPY, *(dated(Item.CEA, float(offset), day(offset)) for offset in (1, 5, 8)))
    assert found.record.number(Item.CEA) == 8.0
    assert found.statements == ()


def test_a_marker_outside_its_window_is_stated_beside_the_one_that_counts_only_where_it_is_newer() -> None:
    older, counts = dated(Item.CEA, 40.0, day(-400)), dated(Item.CEA, 8.0, day(8))
    assert resolved(*THERAPY, older, counts).statements == ()
    found = resolved(*THERAPY, older, counts, dated(Item.CEA, 2.0, day(60)), dated(Item.CEA, 3.0, day(100)))
    assert found.record.number(Item.CEA) == 8.0
    assert [one.reason for one in found.statements] == [
        "CEA 3 ng/mL of 2024-04-19, imported from labs.csv: not used, "
        "only what is of 2024-01-20 or earlier is surely of before therapy"
    ]


def test_without_baseline_exam_and_therapy_no_marker_is_surely_one_of_before() -> None:
    found = resolved(dated(Item.CEA, 7.2, day(0)), baseline=None)
    assert dict(found.record.values) == {}
    assert "may be of after therapy" in found.statements[0].reason


def test_pathology_counts_by_its_newest_value() -> None:
    first = dated(Item.YPN_STAGE, "ypN0", RESTAGING + timedelta(days=20))
    revised = dated(Item.YPN_STAGE, "ypN1a", RESTAGING + timedelta(days=30))
    for order in ((first, revised), (revised, first)):
        assert values_of(*order) == {Item.YPN_STAGE: "ypN1a"}


def course(year: int, *values: tuple[Name, Value, str], source: str = "labs.csv") -> tuple[DatedValue, ...]:
    """Therapy from February to April of a year, and values of days (month-day) of it."""
    start, end = date(year, 2, 1), date(year, 4, 1)
    days = [dated(Item.THERAPY_START, start, start), dated(Item.THERAPY_END, end, end)]
    return (*days, *(dated(name, value, date.fromisoformat(f"{year}-{on}"), source) for name, value, on in values))


FIRST = course(
    2020,
    (Item.CEA, 40.0, "01-10"),
    (Item.CT_STAGE, "cT4", "01-10"),
    (Item.THERAPY, "chemoradiotherapy", "02-01"),
    (Item.YPN_STAGE, "ypN2", "06-01"),
    (Item.TRG_AJCC, "AJCC-3", "06-01"),
    (Item.SURGERY_DATE, date(2020, 6, 1), "06-01"),
    (Item.HISTOLOGY, "mucinous adenocarcinoma", "01-05"),
    source="first.csv",
)
ANEW, RESTAGED = date(2024, 1, 2), date(2024, 3, 25)
NEW_VALUES = (dated(Item.CEA, 3.0, date(2024, 1, 3)), dated(Stem.EMVI, "positive", ANEW))


@pytest.mark.parametrize("restaging", [None, RESTAGED])
def test_a_tumour_of_years_ago_gives_nothing_to_a_new_baseline_and_all_of_it_is_stated(restaging: date | None) -> None:
    found = resolved(*FIRST, *NEW_VALUES, baseline=ANEW, restaging=restaging)
    assert dict(found.record.values) == {Item.CEA: 3.0, Item.EMVI_BASELINE: "positive"}
    assert {one.code for one in found.statements} == {Code.CLINICAL_UNFIT}
    stated = {one.subject.removeprefix("clinical record: "): one.reason for one in found.statements}
    left_out = {str(one.name) for one in FIRST} - {str(Item.CEA)}  # in the place of which a newer one counts
    assert set(stated) == left_out
    assert stated[Item.YPN_STAGE] == (
        "pathological N stage ypN2 of 2020-06-01, imported from first.csv: not used, "
        "not after the baseline exam of 2024-01-02, so of an earlier course"
    )
    assert "before the baseline exam of 2024-01-02, so of an earlier course" in stated[Item.THERAPY_END]
    assert "more than 90 days before the baseline exam of 2024-01-02" in stated[Item.THERAPY]


def test_a_tumour_of_years_later_gives_nothing_to_the_first_pair_and_all_of_it_is_stated() -> None:
    before, after = date(2020, 1, 15), date(2020, 5, 10)
    seen = dated(Stem.EMVI, "negative", after)
    later = course(
        2024, (Item.CEA, 3.0, "01-03"), (Item.YPN_STAGE, "ypN0", "06-01"), (Item.THERAPY, "chemotherapy", "02-01")
    )
    alone = resolved(*FIRST, seen, baseline=before, restaging=after)
    both = resolved(*FIRST, seen, *later, baseline=before, restaging=after)
    assert alone.statements == ()
    assert both.record == alone.record
    assert both.record.word(Item.EMVI_RESTAGING) == "negative"
    assert {one.subject.removeprefix("clinical record: ") for one in both.statements} == {
        str(one.name) for one in later
    }


def test_therapy_decides_by_its_own_day_and_not_by_the_day_of_its_row() -> None:
    written_late = dated(Item.THERAPY_START, START, date(2025, 12, 1))
    of_2020 = dated(Item.THERAPY_START, date(2020, 2, 1), BASELINE)
    assert values_of(written_late) == {Item.THERAPY_START: START}
    assert values_of(of_2020) == {}


def test_an_end_before_the_start_that_counts_is_dropped_and_stated() -> None:
    early = dated(Item.THERAPY_END, day(5), day(5))
    found = resolved(THERAPY[0], early, dated(Stem.CRM, "negative", day(6)))
    assert dict(found.record.values) == {Item.THERAPY_START: START, Item.CRM_BASELINE: "negative"}
    assert [one.reason for one in found.statements] == [
        "therapy ended 2024-01-15 of 2024-01-15, imported from labs.csv: not used, "
        "before therapy began on 2024-01-20, so of an earlier course"
    ]


@pytest.mark.parametrize("item", [Item.YPT_STAGE, Item.YPN_STAGE, Item.TRG_AJCC, Item.ADJUVANT_CHEMOTHERAPY])
@pytest.mark.parametrize(
    ("on", "restaging", "why"),
    [
        (BASELINE, None, "not after the baseline exam"),
        (day(1), None, ""),
        (RESTAGING - timedelta(days=1), RESTAGING, "before the restaging exam"),
        (RESTAGING, RESTAGING, ""),
        (RESTAGING + timedelta(days=400), RESTAGING, ""),
        (RESTAGING + timedelta(days=401), RESTAGING, "more than 400 days from the exams of 2024-01-10 and 2024-05-10"),
        (day(401), None, "more than 400 days from the exam of 2024-01-10"),
    ],
)
def test_pathology_is_of_after_these_exams_and_at_most_400_days_later(
    item: Item, on: date, restaging: date | None, why: str
) -> None:
    found = resolved(dated(item, "word", on), restaging=restaging)
    assert dict(found.record.values) == ({} if why else {item: "word"})
    assert [one.code for one in found.statements] == ([Code.CLINICAL_UNFIT] if why else [])
    assert all(why in one.reason for one in found.statements)


def test_pathology_of_before_the_end_of_therapy_is_none_of_after_it() -> None:
    found = resolved(*THERAPY, dated(Item.YPN_STAGE, "ypN0", date(2024, 3, 31)), restaging=None)
    assert found.record.word(Item.YPN_STAGE) == ""
    assert "before therapy ended on 2024-04-01" in found.statements[0].reason


def test_a_late_end_of_therapy_gives_pathology_more_time() -> None:
    end = dated(Item.THERAPY_END, day(200), day(200))
    found = values_of(end, dated(Item.YPN_STAGE, "ypN0", day(600)), restaging=None)
    assert found[Item.YPN_STAGE] == "ypN0"


def test_the_day_of_surgery_is_judged_and_not_that_of_its_row() -> None:
    found = resolved(dated(Item.SURGERY_DATE, date(2020, 6, 1), RESTAGING + timedelta(days=30)))
    assert dict(found.record.values) == {}
    assert "surgery 2020-06-01" in found.statements[0].reason


@pytest.mark.parametrize(("offset", "used"), [(-366, True), (-367, False), (366, True), (367, False)])
def test_an_age_counts_within_a_year_of_the_first_exam(offset: int, used: bool) -> None:
    found = resolved(dated(Item.AGE_YEARS, 60.0, day(offset)))
    assert (found.record.number(Item.AGE_YEARS) == 60.0) is used
    assert [one.code for one in found.statements] == ([] if used else [Code.CLINICAL_UNFIT])
    assert all("more than a year from the first exam, of 2024-01-10" in one.reason for one in found.statements)


def test_of_several_ages_the_one_nearest_to_the_first_exam_counts() -> None:
    ages = (dated(Item.AGE_YEARS, 60.0, day(10)), dated(Item.AGE_YEARS, 61.0, day(300)))
    assert values_of(*ages, dated(Item.AGE_YEARS, 66.0, day(2200))) == {Item.AGE_YEARS: 60.0}


def test_sex_is_true_of_any_day() -> None:
    assert values_of(dated(Item.SEX, "F", date(2001, 1, 1))) == {Item.SEX: "F"}


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
