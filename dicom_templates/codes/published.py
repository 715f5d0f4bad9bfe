"""All private codes in one table, and the meanings that any code of ours may be written with."""

from __future__ import annotations

from functools import cache
from typing import cast

from pydicom.sr import _concepts_dict  # the only place where pydicom keeps every (code, meaning) pair

from dicom_templates.codes import results
from dicom_templates.codes.clinical import PRIVATE_VARIABLES, VARIABLE_CATEGORIES
from dicom_templates.codes.outcomes import HORIZONS, OUTCOMES
from dicom_templates.codes.private import SCHEME, PrivateCode
from dicom_templates.codes.standard import OUTSIDE_PYDICOM
from dicom_templates.codes.statements import STATEMENTS


def private_codes() -> tuple[PrivateCode, ...]:
    """Every code of scheme 99RESTAGE."""
    predicted = [code for known in OUTCOMES.values() for code in (known.probability, *known.categories.values())]
    sets = [known.remaining for known in OUTCOMES.values()]
    predicted += [code for one in sets for code in (one.expected, one.excluded, one.refer)]
    curves = [known.event_free for known in OUTCOMES.values() if known.event_free is not None]
    horizons = [code for horizon in HORIZONS for code in (horizon.share, horizon.lower, horizon.upper)]
    reported = [*PRIVATE_VARIABLES.values(), *VARIABLE_CATEGORIES.values()]
    around = [value for value in vars(results).values() if isinstance(value, PrivateCode)]
    drawn = [*results.CHANGES.values(), *results.MASK_ORIGINS.values()]
    return (*predicted, *curves, *horizons, *around, *drawn, *reported, *STATEMENTS.values())


#: scheme -> keyword -> code value -> (meaning, context groups)
_DICTIONARY = cast("dict[str, dict[str, dict[str, tuple[str, list[int]]]]]", _concepts_dict.concepts)


@cache
def meanings(value: str, scheme: str) -> frozenset[str]:
    """The meanings that a code may be written with; empty for a code that nobody defined."""
    if scheme == SCHEME:
        return frozenset(code.meaning for code in private_codes() if code.value == value)
    entries = _DICTIONARY.get(scheme, {}).values()
    known = {entry[value][0] for entry in entries if value in entry}
    known |= {code.meaning for code in OUTSIDE_PYDICOM if (code.value, code.scheme_designator) == (value, scheme)}
    return frozenset(known)
