"""The head of a file is, byte for byte, what pynetdicom writes: one content is one digest, whichever way it came."""

from __future__ import annotations

import pytest
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLSLossless, MRImageStorage
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION
from pynetdicom.dsutils import create_file_meta, encode_file_meta

from node.part10 import Writer, file_head

WRITER = Writer(PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION)


@pytest.mark.parametrize("sop_uid", ["1.2.3", "1.2.34", "2.25." + "9" * 59], ids=["odd", "even", "long"])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGLSLossless])
def test_it_is_what_pynetdicom_writes(sop_uid: str, syntax: UID) -> None:
    meta = create_file_meta(sop_class_uid=MRImageStorage, sop_instance_uid=UID(sop_uid), transfer_syntax=syntax)
    expected = bytes(128) + b"DICM" + encode_file_meta(meta)
    assert file_head(MRImageStorage, sop_uid, syntax, WRITER) == expected
