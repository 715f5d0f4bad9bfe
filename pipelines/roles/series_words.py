"""What names of series mean, in the languages that sites write them in: patterns for ``contrast_rules``.

Names are compared as :func:`plain` makes them: lower case, accents off, everything but letters, digits and + a space.
Only words whose meaning is not in doubt are here: "sans FS" says nothing of contrast agent, "sans injection" does.
Languages: English, German, French, Spanish, Portuguese, Italian, Dutch, Chinese, Japanese, Korean, Russian.
"""

from __future__ import annotations

import re
import unicodedata

_TREATED = (
    r"(?! ?(?:op|crt|rct|rt|chemo\w*|treat\w*|therap\w*|nact|neo\w*|tx|pros\w*)\b)"  # "post CRT": not of an agent
)
_AGENT = r"(?:contraste?|kontrast\w*|gd|gad\w*|km|mdc|ce|cm|inj\w*|iv|civ|pdc|prohance|dotarem|gadovist)"
_NOT_FAT = r"(?! ?(?:fs|fat\w*|fett\w*|sat\w*|grasso|vet\w*))"  # "without FS": not of an agent

LOCALIZER = re.compile(
    r"\bloc\b|lo[ck]al[iy][sz]|locator|scout|\bsurvey\b|\b3 ?pl(?:ane)?\b|\btri ?plan|\bplan ?scan\b|topogram"
    r"|\breperage\b|定位|位置決め|위치"
)
REFERENCE = re.compile(
    r"\bcal(ibration)?\b|\basset\b.*\bcal|\b(coil|sense|ref) ?(survey|scan|ref)\b|\bshim\b"
    r"|\b(b0|b1|field) ?map(ping)?\b"
)
CALCULATED = re.compile(
    r"calc ?b ?val|\bcalc(ulated)?\b|\bsynth|\bsyn ?b\b|\bsynb\b|\bcomputed\b|\bcdwi\b|\bs?cb ?\d{3,4}\b|extrapolated"
    r"|\bberechnet|\bcalcul[ea]|\bcalcolat|计算|計算"
)
ADC = re.compile(r"(?<![a-z])d?adc(?![a-z])|apparent diffusion coeff|表观(弥散|扩散)系数")
NOT_ADC = re.compile(r"(?<![a-z])e ?adc(?![a-z])|exponential (adc|apparent)|\bexp adc\b")
DIFFUSION = re.compile(
    r"dwi|diff(?!er)|\bdifu[sz]|\bdti\b|\bdki\b|\bivim\b|\bep ?b\d|\bresolve\b|\bzoomit\b"
    r"|弥散|彌散|扩散|擴散|拡散|확산|диффуз"
)
T2 = re.compile(r"\bt2")
T1 = re.compile(
    r"\be?t1|\b(star)?vibe\b|\blava\b|\be?thrive\b|\bmprage\b|\bmp rage\b|\bbravo\b|\bquick ?3d\b|\bfspgr\b"
)
PROTON_DENSITY = re.compile(r"\bpd\b|\bpdw\b|proton ?dens")
SINGLE_SHOT = re.compile(r"haste|ssfse|\bss ?h\b|single ?shot|\bssh\w*tse\b|\bssfe\b|\bss ?tse\b|\bfase\b.*\bss")
HYDROGRAPHY = re.compile(r"mrcp|urogra|hydrogra|myelo")
INVERSION = re.compile(r"\bstir|\btirm\b|\bflair\b|\bdark ?fluid\b|\bturbo ?ir\b")
PARAMETER_MAP = re.compile(r"\bt[12] ?map|\bmapping\b|\bmapit\b|\bt1 ?rho\b|relaxom")
FAT_SUPPRESSED = re.compile(r"\bfs\b|\bfat ?sat|\bspair\b|\bspir\b|\bdixon\b|fatsat|\bfatsup|\bpropfs\b|压脂|脂肪抑制")
SUBTRACTION = re.compile(
    r"\bsub\b(?! ?\d)|\bsubs\b|subtra[ck]|\bsubtr\b|\bsoustr|\bsottra|\bsustra|\brestad[oa]\b|减影|減影|差分|サブトラ"
)
REFORMATTED = re.compile(r"\bmpr\b|\bmip\b|\bminip\b|\breformat|\breform\b|\brecon[ \d]*(ax|tra|cor|sag)|重建|重組")
DYNAMIC = re.compile(
    r"\bdyn\b|\bdyn\d|dynam|dinam|\bdce\b|\btwist\b|\btricks\b|\bdisco\b|\bgrasp\b|\b4d ?thrive|\bperfusion|\bperf\b"
    r"|multi ?phase|\bmph\b|\bph(ase)? ?\d+\b|\barteri|\b(porto? ?)?(venous|venos|veneu[sx])|\bequilib"
    r"|动态|動態|ダイナミック"
)
UNENHANCED = re.compile(
    rf"\bpre\b{_TREATED}|\bpre ?{_AGENT}\b|\bprae ?{_AGENT}\b|\bnativ\w*|\bnon ?{_AGENT}\b|\bno ?{_AGENT}\b"
    rf"|\bwithout\b{_NOT_FAT}|\bw ?o\b{_NOT_FAT}|unenhanced|\bnon ?enhanced|\bplain\b"
    rf"|\bohne\b{_NOT_FAT}|\bvor {_AGENT}\b|\bsans {_AGENT}\b|\bavant {_AGENT}\b|\bs[ei][nm] {_AGENT}\b|\bsin cte\b"
    rf"|\bzonder\b{_NOT_FAT}|\bvoor {_AGENT}\b|\bblanco\b|\bsenza {_AGENT}\b|\bprima (del? )?{_AGENT}\b|\bbasale\b"
    r"|平扫|平掃|単純|造影前|增强前|增強前|조영 ?전|бесконтраст|без контраст|до контраст|нативн"
)
ENHANCED = re.compile(
    rf"\+ ?c\b|\bc\+|contrast|kontrast|\bpost\b{_TREATED}|\bpost ?{_AGENT}\b|\+ ?{_AGENT}\b|\b(gd|gad\w*|ce|km|mdc)\b"
    rf"|\bcemr|\bt1 ?ce\b|\benhanced\b|\bapres\b|\bavec {_AGENT}\b|\binj(ect\w*|ektion|ezione)?\b"
    rf"|\bco[nm] {_AGENT}\b|\bcon cte\b|\bcivs?\b|\bdopo\b|\bmet {_AGENT}\b|\bna {_AGENT}\b|\bnach {_AGENT}\b"
    rf"|\bmit {_AGENT}\b|\bpos {_AGENT}\b|增强|增強|造影|조영 ?후|조영 ?증강|контраст"
)
BOTH = re.compile(
    r"\bpre (?:(?:and|und|et|e|y|en) |\+ ?)?post\b|\bw wo\b|\bwo w\b|\bw o (?:(?:and|\+) ?)?w\b|\bw (?:and|\+) ?w ?o\b"
    r"|\bwith (?:and|or|\+) ?without\b|\bwithout (?:and|\+) ?with\b|\bohne (?:und|\+) ?mit\b|\bmit (?:und|\+) ?ohne\b"
    r"|\bsans et avec\b|\bsin y con\b|\bsenza e con\b|\bsem e com\b|平扫 ?\+ ?增强|単純 ?\+? ?造影"
)
DIXON = re.compile(r"dixon|\bideal\b|\bflex\b|\bwfi\b|\bwfop\b")
DIXON_WORDS = (
    ("fat", re.compile(r"\bfat\b(?! ?(?:sat|sup|sep))|\bf\b|\bfatfrac|\bff\b")),
    ("opposed-phase", re.compile(r"\b(?:opp|out)(?:osed)?(?: ?of)? ?ph\w*|\bopp\b|\bout\b|\bop\b")),
    ("water", re.compile(r"\bwater\b|\bw\b")),
    ("in-phase", re.compile(r"\bin ?phase\b|\bin\b|\bip\b|\binphase\b")),
)

NO_AGENT = {"", "NO", "NONE", "N", "0", "OFF", "KEIN", "NEIN", "NON", "NO CONTRAST", "N/A", "NA", "NULL", "-", "OHNE"}

_ACCENTS = re.compile("[\u0300-\u036f]")


def plain(name: str) -> str:
    """A name as the patterns take it. Accents of other scripts than Latin, Greek and Cyrillic stay."""
    stripped = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", name.lower())))
    return re.sub(r"[^\w+]+|_", " ", stripped)


def enhancement_named(words: str) -> str:
    """``enhanced``, ``unenhanced``, ``both`` (an exam's name, or a contradiction), or empty where no word says."""
    if BOTH.search(words):
        return "both"
    if UNENHANCED.search(words):
        rest = UNENHANCED.sub(" ", words)
        return (
            "both"
            if re.search(rf"\bpost\b{_TREATED}|\bapres\b|\bnach {_AGENT}\b|\bc\+|\+ ?c\b", rest)
            else "unenhanced"
        )
    return "enhanced" if ENHANCED.search(words) else ""
