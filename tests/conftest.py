"""Fixtures that every folder of tests shares."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
MADE_ONCE = ("demo_every_kind", "demo_results", "real_every_kind", "with_masks", "without_masks", "scores_withheld")
"""Session fixtures of tests/peers that take a minute each."""
SAME = {"demo_results": "demo_every_kind", "with_masks": "demo_every_kind"}
LONGEST = ("test_random_kills.py", "test_poison.py", "test_clock_steps.py", "test_kills.py", "test_hostile_peers.py")
"""Files of few tests that take minutes: begun last, they would keep one worker busy while the others have nothing."""
ALONE = ("pipelines", "dicom_templates", "node")
"""Folders of tests that need one process, and never wait: they fill the time in which the others do."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one file run on one worker, or those of one minute's work: each worker would do that work anew.

    The longest come first; `make test` tells pytest-xdist to keep this order, which goes by numbers of tests otherwise.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_together(item)))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.path.name in LONGEST:
        return 0
    return 2 if item.path.relative_to(REPOSITORY / "tests").parts[0] in ALONE else 1


def _together(item: pytest.Item) -> str:
    if item.path.parent.name == "viewer":  # one viewer at a time, beside the tests of the first pair that it shows
        return MADE_ONCE[0]
    asked = {*getattr(item, "fixturenames", ())}
    if hasattr(item, "callspec"):
        asked |= {value for value in item.callspec.params.values() if isinstance(value, str)}
    for name in MADE_ONCE:
        if name in asked:
            return SAME.get(name, name)
    return str(item.path.relative_to(REPOSITORY))


def missing(what: str) -> NoReturn:
    """Skip because ``what`` is absent from this machine; fail instead where CI promised that everything is there."""
    if os.environ.get("RESTAGE_REQUIRE_ALL") == "1":
        pytest.fail(f"{what}, and RESTAGE_REQUIRE_ALL=1 promises everything", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real DICOM from public repositories, kept beside the checkout and never in it."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real DICOM beside this checkout (../shared/data)")
    return folder
