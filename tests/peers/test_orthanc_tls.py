"""Orthanc with TLS and certificates of both sides: it sends here, and the doctor finds it well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.certificates import Authority, Wanted
from tests.dicom_files import BASELINE, t2_axial, write
from tests.peers.orthanc import TITLE, Orthanc, running_orthanc
from tests.running_node import NODE_TITLE, RunningNode, free_port, started, write_config

pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]

CONFIG = """\
[logs]
level = "DEBUG"
[tls]
port = {port}
certificate = "ours.pem"
key = "ours.key"
authorities = "hospital.pem"
[[peer]]
name = "orthanc"
ae_title = "{title}"
host = "127.0.0.1"
port = {dicom_port}
sends = true
receives = true
tls = true
tls_name = "orthanc.example"
"""


@dataclass(frozen=True)
class Both:
    orthanc: Orthanc
    node: RunningNode


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("node")
    hospital = Authority(folder)
    hospital.issue("ours", Wanted("restage", ("localhost",)))
    theirs = hospital.issue("orthanc", Wanted("orthanc", ("orthanc.example",)))
    port, plain_port = free_port(), free_port()
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(theirs.certificate),
        "DicomTlsPrivateKey": str(theirs.key),
        "DicomTlsTrustedCertificates": str(hospital.file),
        "DicomTlsRemoteCertificateRequired": True,
        "DicomModalities": {"restage": {"AET": NODE_TITLE, "Host": "127.0.0.1", "Port": port, "UseDicomTls": True}},
    }
    with running_orthanc(folder / "orthanc", more=settings) as orthanc:
        extra = CONFIG.format(port=port, title=TITLE, dicom_port=orthanc.dicom_port)
        write_config(folder, plain_port, extra=extra)
        with started(folder, plain_port, worker=False) as node:
            yield Both(orthanc, node)


def test_orthanc_sends_over_tls(both: Both, tmp_path: Path) -> None:
    both.orthanc.store(write(t2_axial(BASELINE, 3), tmp_path))
    assert both.orthanc.send("restage") == 0
    assert both.node.log.count("object.kept") == 3


def test_orthanc_is_found_well_over_tls(both: Both) -> None:
    said = " ".join(both.node.restage("check").stdout.split())
    _, _, of_orthanc = said.partition("peer orthanc")
    assert "accepts an association from RESTAGE over TLS" in of_orthanc
    assert "answers C-ECHO" in of_orthanc
