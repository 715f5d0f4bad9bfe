"""Coverage-guided fuzzing of what reads strangers' bytes: it looks for inputs that reach code no other has reached.

Run: python -m tests.faults.guided_fuzz objects|pdus [--runs 100000]; needs `pip install -e .[fuzz]`. An input that
breaks a rule ends it, with the error and the input's file. ``objects``: read_facts takes an object or raises
ObjectError, and where the header is walked, it says what pydicom says. ``pdus``: messages come out, or ProtocolError.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["node.header", "node.objects", "node.pdv", "pydicom.filereader"]):
    from node import header, pdv
    from node.errors import ObjectError, ProtocolError
    from node.objects import read_facts

from tests.dicom_files import BASELINE, data_set, dwi, encoded, mask, report, t2_axial
from tests.raw_peer import echo_command, p_data, store_command, value

_NUMBERS = ("NumberOfFrames", "SamplesPerPixel", "Rows", "Columns", "BitsAllocated")
_TEXTS = [keyword for keyword in header.TAGS if keyword not in (*_NUMBERS, *header.PIXELS, "ContentSequence")]


def objects(content: bytes) -> None:
    try:
        read_facts(content)
    except ObjectError:
        return
    walked = header.walked(content)
    if walked is None:
        return
    whole = header._read(content)
    assert walked.transfer_syntax_uid == whole.transfer_syntax_uid
    for keyword in header.TAGS:
        assert walked.has(keyword) == whole.has(keyword), keyword
    for keyword in _TEXTS:
        assert walked.text(keyword) == whole.text(keyword), keyword
    for keyword in _NUMBERS:
        assert walked.number(keyword) == whole.number(keyword), keyword
    for keyword in header.PIXELS:
        if walked.has(keyword):
            assert walked.extent(keyword) == whole.extent(keyword), keyword


def pdus(content: bytes) -> None:
    assembly = pdv.Assembly(lambda _context, _command: _Sink())
    try:
        for fragment in pdv.fragments(memoryview(content)):
            message = assembly.take(fragment)
            if message is not None:
                pdv.command_pdus(message.context_id, pdv.response_to(message.command, 0, "a comment"), 16)
    except ProtocolError:
        pass


class _Sink:
    def write(self, part: memoryview, /) -> object:
        return len(part)


def seeds(target: Callable[[bytes], None]) -> list[bytes]:
    if target is objects:
        made = [*t2_axial(BASELINE, 1), *dwi(BASELINE)[:1], mask(BASELINE), report(BASELINE)]
        return [encoded(one) for one in made]
    (image,) = t2_axial(BASELINE, 1)
    store = [value(store_command("1.2.3"), command=True), value(data_set(image)[:500])]
    return [p_data(*store)[6:], p_data(value(echo_command(), command=True))[6:]]


TARGETS: Mapping[str, Callable[[bytes], None]] = {"objects": objects, "pdus": pdus}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--runs", type=int, default=100_000)
    told = parser.parse_args()
    target = TARGETS[told.target]
    with tempfile.TemporaryDirectory() as name:
        for number, seed in enumerate(seeds(target)):
            (Path(name) / f"seed{number}").write_bytes(seed)
        atheris.Setup([sys.argv[0], f"-runs={told.runs}", "-max_len=20000", name], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
