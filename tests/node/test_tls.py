"""What is negotiated, and what never is."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from node.tls import CIPHER_SUITES, as_client, as_server
from node.tls_section import Tls
from tests.certificates import Authority, Wanted


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    authority = Authority(tmp_path)
    pair = authority.issue("ours", Wanted("restage", ("localhost",)))
    return Tls(certificate=pair.certificate, key=pair.key, authorities=authority.file)


@pytest.mark.parametrize("side", [as_server, as_client])
def test_only_what_rfc_9325_allows_is_offered(tls: Tls, side) -> None:
    context = side(tls)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED
    for suite in context.get_ciphers():
        assert suite["aead"]
        assert suite["protocol"] == "TLSv1.3" or suite["name"] in CIPHER_SUITES
    assert {suite["name"] for suite in context.get_ciphers()} >= set(CIPHER_SUITES)
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_who_is_called_has_to_have_its_name(tls: Tls) -> None:
    assert as_client(tls).check_hostname


def test_the_files_are_read_once(tls: Tls) -> None:
    first = as_client(tls)
    for path in tls.files():
        path.unlink()
    assert as_client(tls) is first
