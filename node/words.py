"""What the words of a study say about its time point. Evidence, never proof: the dates decide, a person overrules.

Descriptions are free text of the site, in its language, and sometimes the name of a protocol that every exam gets. So
a word counts only with its object ("post CRT", never "post" alone: "post contrast" is no restaging), and a study
whose words say both says nothing.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from pipelines.contract import TimePoint

# What a therapy is called, after "post", "nach", "après" … . Not "ct": that is mostly computed tomography.
_THERAPY = (
    r"(?:(?:total|induction|short course|long course|neo ?adj\w*|concurrent|combined|kombinierter) )*"
    r"(?:n?a?crtx?|n?rctx?|n?rt|scrt|lccrt|nact|nat|tnt|ch?emo\w*|radio?chemo\w*|radiation|radio ?therap\w*"
    r"|neo ?adj\w*|treatment|therap\w*|bestrahlung|behandlung|behandeling|bestraling"
    r"|traitement|(?:radio ?)?chimio\w*|tratamiento|(?:radio ?)?quimio\w*|radioterap\w*|trattamento|terapia"
    r"|(?:radio ?)?chemio\w*|tratamento|qrt|leczeni\w*|radioterapi\w*)"
)

# Language by language. Matched on text that is folded: lower case, no accents, punctuation turned into single spaces.
_RESTAGING = (
    # English
    rf"post (?:{_THERAPY})",
    rf"after {_THERAPY}",
    r"re ?stag(?:e|ed|ing)",
    r"y[cp]?mr\w*|yr ?mri?",
    r"(?:second|2nd) look",
    r"response (?:assessment|evaluation)",
    r"re ?(?:assessment|evaluation)",
    r"follow ?up",
    r"interim",
    r"watch (?:and|n|&) wait",
    # German
    rf"(?:nach|z n|zustand nach) {_THERAPY}",
    r"verlaufskontrolle",
    # French
    rf"apres {_THERAPY}",
    r"post therapeutique",
    # Spanish, Portuguese
    rf"(?:tras|despues de|despues del|apos|pos) {_THERAPY}",
    r"re ?estadi(?:ficacion|amento)",
    # Italian
    rf"dopo {_THERAPY}",
    r"(?:re|ri) ?stadiazione",
    # Dutch, Polish
    rf"(?:na|po) {_THERAPY}",
    r"herstadiering|responsevaluatie",
)
_BASELINE = (
    # English
    r"base ?line",
    r"(?:primary|initial|first) stag(?:e|ing)",
    rf"pre ?(?:{_THERAPY})",
    rf"(?:before|prior to) {_THERAPY}",
    r"pre ?therapeutic",
    # German
    r"(?:primar|primaer|erst) ?staging",
    r"initiales staging",
    rf"vor {_THERAPY}",
    r"pra?e?therapeutisch\w*",
    # French
    rf"avant {_THERAPY}",
    r"(?:bilan|stadification) (?:d extension )?initiale?",
    r"pre ?therapeutique",
    # Spanish, Portuguese
    rf"antes (?:de|del|do|da) {_THERAPY}",
    r"(?:estadificacion|estadiamento) inicial",
    # Italian
    rf"prima (?:di|del|della) {_THERAPY}",
    r"stadiazione (?:iniziale|primaria)",
    # Dutch, Polish
    rf"(?:voor|przed) {_THERAPY}",
    r"primaire stadiering",
)
# Chinese and Japanese write no spaces, so there is no word boundary to match on.
_RESTAGING_UNSPACED = r"(?:治疗|治療|放疗|化疗|放化疗|新辅助)后|治療後|术前放化疗后|复查"
_BASELINE_UNSPACED = r"(?:治疗|放疗|化疗|放化疗)前|治療前|基线|初诊|初診"

# Where the words are those of a protocol for every exam, or of one phase of a dynamic series.
_NO_EVIDENCE = re.compile(
    r"\b(?:primary |initial )?staging (?:and |or |und |oder |et |y |e |n )?re ?staging\b"
    r"|\b(?:dce|dyn\w*|perf\w*|t1\w*|vibe|twist)(?: \w+)? base ?line\b"
    r"|\bbase ?line (?:dce|dyn\w*|perf\w*|t1\w*|vibe|twist)\b"
)
_TABLE = {
    TimePoint.RESTAGING: re.compile(rf"\b(?:{'|'.join(_RESTAGING)})\b|{_RESTAGING_UNSPACED}"),
    TimePoint.BASELINE: re.compile(rf"\b(?:{'|'.join(_BASELINE)})\b|{_BASELINE_UNSPACED}"),
}


@dataclass(frozen=True)
class Hint:
    """What the words of a study say: one time point or none, and the words that say so."""

    time_point: TimePoint | None
    said: str = ""


NO_HINT = Hint(None)


def read_words(words: str) -> Hint:
    """The time point that ``words`` (descriptions of study, series and protocol) name; none where they name both."""
    text = _NO_EVIDENCE.sub(" ", fold(words))
    found = {time_point: match.group() for time_point, pattern in _TABLE.items() if (match := pattern.search(text))}
    if len(found) != 1:
        return NO_HINT
    ((time_point, said),) = found.items()
    return Hint(time_point, said)


def fold(text: str) -> str:
    """Lower case, accents dropped, everything but letters and digits turned into single spaces."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in spread if not unicodedata.combining(char))
    return " ".join(re.sub(r"[\W_]+", " ", bare).split())
