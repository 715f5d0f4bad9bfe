"""What the doctor says of this node itself."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pynetdicom import AE
from rich.console import Console

from node import check as module
from node.association import VERIFICATION
from node.check import LOW_DISK_GIB, check, render
from node.config import Config, Node, Scoring
from node.database import Database
from node.finding import Finding, Level
from node.peer import Peer
from node.room import GIB, Room

Make = Callable[..., Config]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A configuration in which everything is right, but for what is given."""
    for system in ("segmenter", *Scoring().systems):
        (tmp_path / "bundles" / system).mkdir(parents=True)
        (tmp_path / "bundles" / system / "manifest.json").write_text("{}")
    (tmp_path / "data").mkdir(mode=0o700)

    def config(peers: tuple[Peer, ...] = (), **node: object) -> Config:
        settings = {"host": "127.0.0.1", "port": free_port(), "data_dir": tmp_path / "data"} | node
        return Config(node=Node(**settings), scoring=Scoring(bundles=tmp_path / "bundles"), peers=peers)

    return config


@pytest.fixture(autouse=True)
def _room_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    free_disk(monkeypatch, 100)


def free_disk(monkeypatch: pytest.MonkeyPatch, gib: float) -> None:
    monkeypatch.setattr(Room, "free", int(gib * GIB))


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def about(config: Config, subject: str) -> list[Finding]:
    return [finding for finding in check(config) if finding.subject.startswith(subject)]


def test_a_sound_node_without_peers_has_one_warning(make: Make) -> None:
    findings = list(check(make()))
    assert [finding.message for finding in findings if finding.level is not Level.OK] == [
        "our side: config.toml has no [[peer]], so nobody may send and results go nowhere"
    ]


def test_the_doctor_changes_nothing(make: Make, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    list(check(make()))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_port_taken_by_another_program_is_a_fault(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        (finding,) = about(make(port=other.getsockname()[1]), "listener")
    assert finding.failed
    assert "another program listens on that port" in finding.message


def test_a_port_taken_by_this_node_itself_is_none(make: Make) -> None:
    running = AE(ae_title="RESTAGE")
    running.require_called_aet = True
    running.require_calling_aet = ["PACS"]
    running.add_supported_context(VERIFICATION)
    server = running.start_server(("127.0.0.1", 0), block=False)
    try:
        pacs = Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=free_port(), sends=True)
        (finding,) = about(make(peers=(pacs,), port=server.socket.getsockname()[1]), "listener")
    finally:
        server.shutdown()
    assert finding.level is Level.OK
    assert "a node that answers as RESTAGE is running" in finding.message


def test_an_address_of_another_machine_is_a_fault(make: Make) -> None:
    (finding,) = about(make(host="192.0.2.1"), "listener")  # RFC 5737: never this machine's
    assert finding.failed
    assert "192.0.2.1 is no address of this machine" in finding.message


def test_a_listener_on_loopback_cannot_hear_a_pacs_elsewhere(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "check_peer", lambda *_: iter(()))
    pacs = Peer(name="pacs", ae_title="PACS", host="192.0.2.1", port=104, sends=True)
    assert any(
        finding.failed and "this machine alone" in finding.message for finding in about(make(peers=(pacs,)), "listener")
    )


def test_a_data_folder_that_can_be_made_is_right_and_a_file_in_its_place_is_not(make: Make, tmp_path: Path) -> None:
    finding, _ = about(make(data_dir=tmp_path / "new" / "deeper"), "data folder")
    assert (finding.level, finding.message) == (Level.OK, "not there yet, and can be made")
    (tmp_path / "file").write_text("")
    (finding,) = about(make(data_dir=tmp_path / "file"), "data folder")
    assert finding.failed
    assert "is a file" in finding.message


def test_a_data_folder_of_another_user_is_a_fault(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by chmod: root, as whom CI runs, may write everywhere.
    def denied(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.tempfile, "TemporaryFile", denied)
    (finding,) = about(make(), "data folder")
    assert finding.failed
    assert "may not write" in finding.message


def test_a_data_folder_that_others_may_read_is_told(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o750)
    told = [finding for finding in about(make(data_dir=folder), "data folder") if "chmod 700" in finding.message]
    assert [finding.level for finding in told] == [Level.WARN]
    folder.chmod(0o700)
    assert not [finding for finding in about(make(data_dir=folder), "data folder") if "chmod" in finding.message]


@pytest.mark.parametrize(
    ("gib", "level"),
    [(LOW_DISK_GIB + 1, Level.OK), (LOW_DISK_GIB - 1, Level.WARN), (Node().keep_free_gib / 2, Level.FAIL)],
)
def test_a_filling_disk_is_told_before_it_is_full(
    make: Make, monkeypatch: pytest.MonkeyPatch, gib: float, level: Level
) -> None:
    free_disk(monkeypatch, gib)
    _, room = about(make(), "data folder")
    assert room.level is level
    assert "GiB free" in room.message


def test_a_database_that_is_there_is_opened(make: Make) -> None:
    config = make()
    database = Database(config.database_url)
    database.migrate()
    database.close()
    (finding,) = about(config, "database")
    assert finding.level is Level.OK
    assert "opens" in finding.message


def test_a_broken_database_is_a_fault(make: Make) -> None:
    config = make()
    (config.node.data_dir / "restage.sqlite").write_bytes(b"not a database, " * 400)
    (finding,) = about(config, "database")
    assert finding.failed
    assert "file is not a database" in finding.message


def test_missing_bundles_are_named(make: Make, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "bundles" / "signature_svm")
    (finding,) = about(make(), "models")
    assert finding.failed
    assert "no bundle of signature_svm" in finding.message


def test_roles_that_nobody_has_are_pointed_out(make: Make) -> None:
    pacs = Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=free_port())
    messages = [finding.message for finding in about(make(peers=(pacs,)), "peers")]
    assert len(messages) == 2
    assert "no exam can arrive" in messages[0]
    assert "results go nowhere" in messages[1]


def test_who_is_asked_for_commitment_and_sent_nothing_is_pointed_out(make: Make) -> None:
    values = {"host": "127.0.0.1", "port": free_port(), "storage_commitment": True}
    peers = (Peer(name="a", ae_title="PACS", **values), Peer(name="b", ae_title="PACS", receives=True, **values))
    words = "has storage_commitment = true, and nothing is sent to PACS"
    assert not any(words in finding.message for finding in about(make(peers=peers), "peers"))
    assert any(f"a {words}" in finding.message for finding in about(make(peers=peers[:1]), "peers"))


def test_every_peer_is_looked_at(make: Make) -> None:
    peers = tuple(
        Peer(name=name, ae_title="PACS", host="127.0.0.1", port=free_port(), receives=True) for name in ("one", "two")
    )
    subjects = {finding.subject.split(" (")[0] for finding in check(make(peers=peers))}
    assert {"peer one", "peer two"} <= subjects


def test_a_finding_is_shown_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=200).print(render(Finding(Level.FAIL, "peer [a]", "set [node] host")))
    assert capsys.readouterr().out == "fail peer [a]: set [node] host\n"
