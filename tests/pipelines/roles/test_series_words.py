from __future__ import annotations

import pytest

from pipelines.roles.series_words import CALCULATED, DYNAMIC, LOCALIZER, SUBTRACTION, enhancement_named, plain


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


@pytest.mark.parametrize(
    "name",
    [
        "o. KM", "oKM", "S/ CONTRASTE", "S/GD", "s/civ", "ss gado", "w/out contrast", "before contrast",
        "prior to gad", "senza contrasto", "prä KM", "KM-frei", "kontrastlos", "contrast free",
        "vor der KM-Gabe", "non-enh", "Gd none", "avant l'injection", "antes del contraste",
        "prima dell'iniezione", "bez kontrastu", "przed kontrastem", "utan kontrast", "uden kontrast",
        "uten kontrast", "før kontrast", "kontrastsız", "minus gd", "GD(-)", "(-)Gd", "C(-)", "KM-", "Gd (−)",
        "没有造影", "非造影", "未增强", "不增强", "無造影", "造影なし",
        "造影無し", "注射前", "비조영", "조영제 없이", "без в/в контраста",
    ],
)  # fmt: skip  # a word a line is no list to read
def test_what_is_named_unenhanced_is_never_read_as_enhanced_for_the_agent_in_its_name(name: str) -> None:
    assert enhancement_named(plain(f"T1 tra {name}")) == "unenhanced"
    assert enhancement_named(plain(f"{name} T1 tra")) == "unenhanced"
    assert enhancement_named(plain(f"AX T1 {name}")) == "unenhanced"


@pytest.mark.parametrize(
    "name",
    [
        "m. KM", "mKM", "C/ CONTRASTE", "c/ gd", "po kontraście", "Gd(+)", "C(+)", "T1-KM", "T1 - Gd - ax",
        "60 s KM", "Gd free breathing", "KM frei atmend", "KM freiatmend",
    ],
)  # fmt: skip  # a word a line is no list to read
def test_what_is_named_enhanced_stays_so(name: str) -> None:
    assert enhancement_named(plain(f"T1 tra {name}")) == "enhanced"
    assert enhancement_named(plain(f"T1 {name}")) == "enhanced"


@pytest.mark.parametrize("name", ["T1 +/- KM", "T1 ± Gd", "T1 fs -KM", "T1 +/-C"])
def test_a_sign_that_may_be_a_dash_or_a_minus_is_not_decided(name: str) -> None:
    assert enhancement_named(plain(name)) == "both"


@pytest.mark.parametrize(
    "words",
    [
        "TNT", "radiation", "radiotherapy", "RT", "LCRT", "SCRT", "RTx", "surgery", "biopsy", "Bx", "6 weeks",
        "12 wks", "3 mo", "long course CRT", "5x5 Gy", "FOLFOX", "resection", "excision", "TEM",
        "immunotherapy", "brachy", "induction", "OP", "Operation", "Bestrahlung", "Radiochemo", "Chirurgie",
        "radiothérapie", "chimio", "cirugía", "cirurgia", "quimioterapia", "QRT", "tratamiento",
        "chemioterapia", "la RCT", "bestraling", "behandeling", "void", "gel", "放疗", "化疗", "手术", "術", "治療",
        "수술", "лучевой", "операции",
    ],
)  # fmt: skip  # a word a line is no list to read
def test_what_comes_after_therapy_is_not_after_contrast_agent(words: str) -> None:
    for after in ("post", "pre", "après", "dopo"):
        assert enhancement_named(plain(f"T1 TSE {after} {words}")) == ""
    assert enhancement_named(plain(f"T1 TSE post {words} post Gd")) == "enhanced"
    assert enhancement_named(plain(f"T1 TSE post {words} nativ")) == "unenhanced"


def test_a_minus_after_an_agent_at_the_end_of_a_name_is_one() -> None:
    assert enhancement_named(plain("T1 tra Gd -")) == "unenhanced"


def test_weeks_before_the_word_make_it_a_time_after_therapy_too() -> None:
    assert enhancement_named(plain("T1 TSE 6 weeks post")) == ""
    for after in (
        "5 min",
        "1 W",
        "long TE",
        "2x2",
        "tra",
    ):  # a time after the agent, Dixon's water, how it was acquired
        assert enhancement_named(plain(f"T1 TSE post {after}")) == "enhanced"


@pytest.mark.parametrize(
    "name",
    [
        "SynDWI b1500", "dwi_calcb1400", "comp b1500", "dwi extrap b2000", "vDWI", "synb2000", "b1500calc",
        "virtual DWI", "DWI b1400 hochgerechnet", "DWI sintética b1500", "合成DWI",
    ],
)  # fmt: skip  # a word a line is no list to read
def test_calculated_b_values_are_known_by_their_names(name: str) -> None:
    assert CALCULATED.search(plain(name))


@pytest.mark.parametrize("name", ["iDWI b1000", "eDWI b1400", "DWI_b1000_compressed", "ep2d_diff_composed", "sync dwi"])
def test_acquired_b_values_are_not_taken_for_calculated(name: str) -> None:
    assert not CALCULATED.search(plain(name))


def test_a_name_loses_accents_and_signs_and_keeps_its_script() -> None:
    assert plain("T1_FS-après (Inj.)+C") == "t1 fs apres inj +c"
    assert plain("ダイナミック 造影") == "ダイナミック 造影"


def test_words_are_told_from_parts_of_other_words() -> None:
    assert LOCALIZER.search(plain("Lokalizer")) and LOCALIZER.search(plain("localisateur"))
    assert not LOCALIZER.search(plain("block t2"))
    assert SUBTRACTION.search(plain("vibe_SUB")) and not SUBTRACTION.search(plain("sub-01 t1w"))
    assert DYNAMIC.search(plain("t1_vibe_dyn")) and not DYNAMIC.search(plain("ep2d_DYNDIST"))
    assert not DYNAMIC.search(plain("t1 in phase"))
