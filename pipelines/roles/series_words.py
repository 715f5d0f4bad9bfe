"""What names of series mean, in the languages that sites write them in: patterns for ``contrast_rules``.

Names are compared as :func:`plain` makes them: lower case, accents off, everything but letters, digits and + a space.
Only words whose meaning is not in doubt are here: "sans FS" says nothing of contrast agent, "sans injection" does.
Languages: English, German, French, Spanish, Portuguese, Italian, Dutch, Chinese, Japanese, Korean, Russian.
"""

from __future__ import annotations

import re
import unicodedata

# What images are taken before and after that is no contrast agent: "post TNT", "pre OP", "après la RCT", "dopo 6 mesi".
_TREATMENT = (
    r"op|\w*operat\w*|operac\w*|opera[cz]i\w*|intervent\w*|chir\w*|cirug\w*|cirurg\w*|surg\w*|resec\w*|resek\w*|excis\w*"
    r"|biops\w*|bx|tem|tamis|tme|lar|esd|emr|polyp\w*|stent\w*|anastom\w*|ileostom\w*|stoma"
    r"|[ls]?c?c?rt|n?a?crt|rct|r?tx|ctx|rch?t|rch|rth|q?rtx?|qt|rtct|ctrt|xrt|rxt|tnt|nact|neo\w*|pros\w*"
    r"|radi(?:at|o)\w*|brachy\w*|irradi\w*|\w*strahl\w*|bestraling|kobalt|chemo\w*|chimio\w*|chemio\w*|quimio\w*|kemo\w*"
    r"|folf\w*|cap[e]?ox\w*|xelox|\w*immun\w*|indu[ck]\w*|[ck]onsolid\w*|treat\w*|therap\w*|terap\w*|behand\w*|trat\w*|tto"
    r"|\d+ ?(?:gy|fx|fractions?)|\d+w|5 ?x ?5|(?:long|short|full) ?course|concurrent|total neo\w*"
    r"|\d+ ?(?:w(?:ee)?ks?|mo(?:nth)?s?|wochen?|monate?n?|weken|maanden|semanas?|semaines?|settiman\w*)"
    r"|\d+ ?(?:mes\w*|mois|days?|tage?n?)"
    r"|void\w*|micturi\w*|mi[ck]tion\w*|evac\w*|defa?e[ck]\w*|fill\w*|enema|gel|buscopan|glucagon|process\w*"
    r"|операц\w*|лучев\w*|хим\w*|терап\w*|лечени\w*"
)
_TREATED = (
    rf"(?! ?(?:(?:l[ae]s?|il|el|der?|die|the|een|un[ae]?) )?(?:{_TREATMENT})\b)"
    r"(?! ?(?:[放化]|手[术術]|[术術]|治[疗療]|新辅助|新輔助|수술|치료|방사선|항암))"
)
_NOT_WEEKS = r"(?<!weeks )(?<!wks )(?<!months )(?<!wochen )(?<!monate )"
_POST = rf"{_NOT_WEEKS}\bpost\b{_TREATED}"
_APRES = rf"\b(?:apres|dopo)\b{_TREATED}"
_AGENT = (
    r"(?:(?:iv |i v )?(?:contr(?:ast\w*)?|kontra(?:s|st)\w*|gd|gad\w*|km|mdc|ce|cm|inj\w*|iniez\w*|iv|civ|pdc"
    r"|prohance|dotarem|magnevist|omniscan|multihance|primovist|eovist|clariscan|elucirem|vueway))"
)
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
    r"calc ?b ?val|\bcalc(ulated)?\b|\bcalc ?b|\bsyn(th|tet|tes)|\bsint[ei]|\bsyn ?(b|dwi)|\bcomp ?b ?\d|\bcomputed\b"
    r"|\b[cv]dwi\b|\bs?cb ?\d{3,4}\b|\bextrap|\bvirtual|\bb ?\d{3,4} ?(calc|syn|comp\b|extrap)|\b(be|er|hochge)rechnet"
    r"|\bcalcul[ea]|\bcalcolat|计算|計算|合成|外推"
)
ADC = re.compile(r"(?<![a-z])d?adc(?![a-z])|apparent diffusion coeff|表观(弥散|扩散)系数")
NOT_ADC = re.compile(r"(?<![a-z])e ?adc(?![a-z])|exponential (adc|apparent)|\bexp adc\b")
ADC_UNIT = re.compile(r"apparent diffusion coeff|\b[mu]m2 ?s\b")
ONE_B = re.compile(r"b ?\d{3,4}(?!\d)")
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
ENHANCED_DYNAMIC = re.compile(r"\bdce\b|\btwist\b|\btricks\b|\bdisco\b|\bgrasp\b|thrive\b|vibe\b|\blava\b|\barteri")
CINE = re.compile(
    r"\bcine|tru ?f(?:i|isp)\b|fiesta|\bs?b ?(?:al\w* )?t?ffe\b|\bs?b ?tfe\b|b ?ssfp|\bssfp\b"
    r"|balanced|haste|ssfse|defa?ec|defek|dejec|evac|procto|motil|perist|\bbreath ?test"
)
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
    rf"\bpre\b{_TREATED}|\bpr(?:e|ae|a) ?{_AGENT}\b|\bnativ\w*|\bn(?:on|o|ot) ?{_AGENT}\b|\b(?:non|un|not) ?enh\w*"
    rf"|\bplain\b|\bwithout\b{_NOT_FAT}|\bw ?o\b{_NOT_FAT}|\bw ?out\b{_NOT_FAT}|\bohne\b{_NOT_FAT}|\bzonder\b{_NOT_FAT}"
    rf"|\b(?:before|prior to|vor(?: de[rm])?|voor|avant(?: l[ae]?)?|antes(?: d[aeo]l?)?|prima(?: del{{1,2}}[ao]?)?"
    rf"|przed|pred|før|fore|innan|ennen) {_AGENT}\b|(?<!\b\d )(?<!\d\d )\b(?:o|s|ss) {_AGENT}\b|\bo ?km\b"
    rf"|\b(?:minus|bez|utan|uden|uten|ilman|kein\w*|geen|sans|sin|sem|senza) {_AGENT}\b|\bc minus\b|\bminus c\b"
    rf"|\b{_AGENT} ?(?:frei(?:e\w?)?\b(?! ?atm)|los(?:e\w?)?\b|free\b(?! ?breath)|(?:s[iı]z|minus|none|off|neg\w*)\b)"
    r"|\bblanco\b|\bsin cte\b|\bbasale\b"
    r"|平扫|平掃|単純|нативн|до контраст|(?:造影|增[强強]|注射|注药|打药)前|[非未不無无](?:造影|增[强強])"
    r"|没有?(?:造影|增[强強])|(?:造影|增[强強])(?:なし|無|无)"
    r"|비 ?조영|조영제? ?(?:없|미)|조영제? ?전|бесконтраст|не ?контраст|без (?:в в )?(?:контраст|усил|ку\b)"
)
ENHANCED = re.compile(
    rf"\+ ?c\b|\bc ?\+|(?<!phase )contrast|kontra(?:s|st)|{_POST}|\bpost ?{_AGENT}\b|\+ ?{_AGENT}\b"
    rf"|\b(gd|gad\w*|ce|km|mdc)\b|\bcemr|\bt1 ?ce\b|\benhanced\b|{_APRES}|\bavec {_AGENT}\b"
    rf"|\binj(ect\w*|ektion|ezione)?\b|\bm ?km\b|\bco[nm] {_AGENT}\b|\bcon cte\b|\bcivs?\b"
    rf"|\bmet {_AGENT}\b|\bna {_AGENT}\b|\bnach {_AGENT}\b|\bmit {_AGENT}\b|\bpos {_AGENT}\b"
    r"|增强|增強|造影|조영 ?후|조영 ?증강|контраст"
)
BOTH = re.compile(
    r"\bpre (?:(?:and|und|et|e|y|en) |\+ ?)?post\b|\bw wo\b|\bwo w\b|\bw o (?:(?:and|\+) ?)?w\b|\bw (?:and|\+) ?w ?o\b"
    r"|\bwith (?:and|or|\+) ?without\b|\bwithout (?:and|\+) ?with\b|\bohne (?:und|\+) ?mit\b|\bmit (?:und|\+) ?ohne\b"
    r"|\bsans et avec\b|\bsin y con\b|\bsenza e con\b|\bsem e com\b|平扫 ?\+ ?增强|単純 ?\+? ?造影"
    rf"|± ?(?:c|{_AGENT})\b"
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
_AFTER = re.compile(rf"{_POST}|{_APRES}|\bnach {_AGENT}\b|\bc\+|\+ ?c\b")
_SHORT = r"(?:c|gd|gado?|gadolinium|km|mdc|ce|contrast\w*|kontrast\w*)"
_SIGNS = (
    (re.compile(r"\+ ?/ ?[-−–]|\+[-−–]"), "±"),
    (re.compile(r"\(\s*\+\s*\)"), "+"),
    (re.compile(r"\(\s*[-−–]\s*\)"), " minus "),
    (re.compile(rf"(?<![a-z0-9])({_SHORT})(?:[-−–](?=[\s_]|$)|\s[-−–]\s*$)", re.IGNORECASE), r"\1 minus "),
    (re.compile(rf"(?<=[\s_])[-−–](?={_SHORT}(?![a-z0-9]))", re.IGNORECASE), "±"),
)


def plain(name: str) -> str:
    """A name as the patterns take it. Accents of other scripts than Latin, Greek and Cyrillic stay.

    A minus that means "without" becomes the word, a dash that may be one (before an agent) the sign ±.
    """
    for pattern, sign in _SIGNS:
        name = pattern.sub(sign, name)
    stripped = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", name.lower())))
    return re.sub(r"[^\w+±]+|_", " ", stripped)


def enhancement_named(words: str) -> str:
    """``enhanced``, ``unenhanced``, ``both`` (an exam's name, or a contradiction), or empty where no word says."""
    if BOTH.search(words):
        return "both"
    if UNENHANCED.search(words):
        return "both" if _AFTER.search(UNENHANCED.sub(" ", words)) else "unenhanced"
    return "enhanced" if ENHANCED.search(words) else ""
