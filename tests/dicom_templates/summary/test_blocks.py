from __future__ import annotations

from dataclasses import replace

from dicom_templates.boxes import Box
from dicom_templates.summary.blocks import Block, draw_blocks


def placed(height: float, *blocks: tuple[str, Block | None]) -> dict[str, Box]:
    """Where each block is drawn in a column of this height."""
    seen: dict[str, Box] = {}

    def named(name: str, block: Block | None) -> Block | None:
        if block is None:
            return None
        return replace(block, draw=lambda box: seen.__setitem__(name, box))

    draw_blocks(Box(0, 100, 50, height), [named(name, block) for name, block in blocks], gap=10)
    return seen


def block(least: float, wish: float, enough: float = 0.0, urgent: bool = False, optional: bool = False) -> Block:
    return Block(least, wish, lambda _: None, enough, urgent, optional)


def test_blocks_stand_below_each_other_with_a_gap() -> None:
    seen = placed(70, ("a", block(20, 20)), ("none", None), ("b", block(30, 30)))
    assert seen["a"] == Box(0, 100, 50, 20)
    assert seen["b"].y >= 130 and seen["b"].bottom <= 170


def test_what_is_left_is_shared_by_wish() -> None:
    seen = placed(110, ("a", block(20, 60)), ("b", block(20, 100)))
    assert (seen["a"].height, seen["b"].height) == (40, 60)


def test_everything_has_enough_before_what_is_urgent_has_its_wish() -> None:
    seen = placed(140, ("plot", block(20, 200, enough=60)), ("refusal", block(20, 300, urgent=True)))
    assert (seen["plot"].height, seen["refusal"].height) == (60, 70)


def test_what_is_optional_is_left_out_first() -> None:
    must, may = block(60, 60), block(50, 50, optional=True)
    assert set(placed(100, ("may", may), ("must", must))) == {"must"}
    assert set(placed(130, ("may", may), ("must", must))) == {"may", "must"}


def test_what_is_firm_stays_while_the_others_have_enough_though_they_are_not_comfortable() -> None:
    must, may = block(20, 200, enough=60), block(50, 50, optional=True)
    assert set(placed(120, ("must", must), ("may", may))) == {"must"}
    firm = replace(may, firm=True)
    assert set(placed(120, ("must", must), ("firm", firm), ("may", may))) == {"must", "firm"}
    assert set(placed(115, ("must", must), ("firm", firm))) == {"must"}


def test_gaps_grow_where_all_wishes_are_met() -> None:
    seen = placed(100, ("a", block(20, 20)), ("b", block(20, 20)))
    assert seen["b"].y > 130 and seen["b"].bottom <= 200
