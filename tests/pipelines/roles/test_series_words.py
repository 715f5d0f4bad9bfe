from __future__ import annotations

import pytest

from pipelines.roles.series_words import DYNAMIC, LOCALIZER, SUBTRACTION, enhancement_named, plain


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("T1 TSE nativ", "unenhanced"),
        ("T1 vor KM", "unenhanced"),
        ("t1_tse_ohne_KM", "unenhanced"),
        ("t1 tse nach KM", "enhanced"),
        ("T1 FS post-Gd", "enhanced"),
        ("AX T1 POST", "enhanced"),
        ("T1 AVANT INJECTION", "unenhanced"),
        ("T1 sans injection", "unenhanced"),
        ("T1 sans FS après injection", "enhanced"),
        ("T1 FS Gado", "enhanced"),
        ("T1 sin contraste", "unenhanced"),
        ("T1 con contraste", "enhanced"),
        ("T1 CIV", "enhanced"),
        ("T1 zonder contrast", "unenhanced"),
        ("T1 na gadolinium", "enhanced"),
        ("T1 senza mdc", "unenhanced"),
        ("T1 dopo mdc", "enhanced"),
        ("T1 sem contraste", "unenhanced"),
        ("T1 平扫", "unenhanced"),
        ("T1 增强", "enhanced"),
        ("T1 造影前", "unenhanced"),
        ("T1 造影後", "enhanced"),
        ("T1 조영 전", "unenhanced"),
        ("T1 до контраста", "unenhanced"),
        ("T1 с контрастом", "enhanced"),
        ("T1 w/o", "unenhanced"),
        ("T1 without FS", ""),
        ("T1 W/WO", "both"),
        ("T1 pre and post contrast", "both"),
        ("T1 post CRT", ""),
        ("T1 pre-op", ""),
        ("t1_tse_tra", ""),
    ],
)
def test_words_for_contrast_agent_are_known_in_the_languages_of_sites(name: str, expected: str) -> None:
    assert enhancement_named(plain(name)) == expected


def test_a_name_loses_accents_and_signs_and_keeps_its_script() -> None:
    assert plain("T1_FS-après (Inj.)+C") == "t1 fs apres inj +c"
    assert plain("ダイナミック 造影") == "ダイナミック 造影"


def test_words_are_told_from_parts_of_other_words() -> None:
    assert LOCALIZER.search(plain("Lokalizer")) and LOCALIZER.search(plain("localisateur"))
    assert not LOCALIZER.search(plain("block t2"))
    assert SUBTRACTION.search(plain("vibe_SUB")) and not SUBTRACTION.search(plain("sub-01 t1w"))
    assert DYNAMIC.search(plain("t1_vibe_dyn")) and not DYNAMIC.search(plain("ep2d_DYNDIST"))
    assert not DYNAMIC.search(plain("t1 in phase"))
