"""Fixtures that every folder of tests shares."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


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
