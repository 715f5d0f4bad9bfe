"""What the doctor says of our own files, and of what is spoken at an address."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from node.app import _remind
from node.certificates import examined
from node.check_tls import certificate_at, check_tls, shows_our_certificate, speaks_tls
from node.finding import Level
from node.peer import Peer
from node.tls_section import Tls
from tests.certificates import Authority, Wanted
from tests.node.conftest import free_port


def set_up(folder: Path, **wanted: tuple[int, int]) -> Tls:
    authority = Authority(folder)
    pair = authority.issue("ours", Wanted("restage", ("restage.example",), **wanted))
    return Tls(port=free_port(), certificate=pair.certificate, key=pair.key, authorities=authority.file)


def test_nothing_is_said_where_nothing_is_set_up() -> None:
    assert list(check_tls(Tls())) == []


def test_what_is_wrong_with_a_file_is_a_fault_of_ours(tmp_path: Path) -> None:
    tls = set_up(tmp_path)
    tls.files()[1].chmod(0o644)
    (finding,) = check_tls(tls)
    assert finding.level is Level.FAIL
    assert finding.message.startswith("our side: tls.key = ")
    assert "may be read by other users" in finding.message


@pytest.mark.parametrize(("days", "events"), [((-30, -1), 1), ((-30, 10), 1), ((-30, 100), 0)])
def test_the_log_reminds_of_an_end_that_is_near(tmp_path: Path, days: tuple[int, int], events: int) -> None:
    credentials = examined(set_up(tmp_path, days=days))
    with capture_logs() as logged:
        _remind(credentials)
    assert [entry["event"] for entry in logged] == ["tls.certificate"] * events


def test_a_port_that_speaks_no_tls_shows_no_certificate(tmp_path: Path) -> None:
    tls = set_up(tmp_path)
    with socket.create_server(("127.0.0.1", tls.port)) as server:
        server.settimeout(5)
        peer = Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=tls.port)
        assert not speaks_tls(peer, 0.2)
        assert certificate_at(peer, 0.2) == ""
    assert not shows_our_certificate(tls, "127.0.0.1"), "nobody listens"
