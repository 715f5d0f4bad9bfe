"""The bar for what one waits for."""

from __future__ import annotations

import pytest

from node.progress import bar


def test_it_counts_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("patients") as advance:
        for done in range(1, 4):
            advance(done, 3)
    shown = capsys.readouterr().err
    assert "patients" in shown
    assert "3/3" in shown


def test_an_error_inside_gets_out(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), bar("patients") as advance:
        advance(1, 3)
        raise RuntimeError
    assert "1/3" in capsys.readouterr().err


def test_where_nothing_is_waited_for_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("patients"):
        pass
    assert capsys.readouterr() == ("", "")
