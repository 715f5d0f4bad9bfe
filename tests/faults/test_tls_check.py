"""What `restage check` says of peers with TLS, each of them DCMTK's storescp and wrong in one way: one real run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.certificates import Authority, Pair, Wanted
from tests.faults.storescp import TITLE, storescp, trusting
from tests.running_node import RunningNode, free_port, started, write_config

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

NAME = "archive.example"
TLS = """\
[tls]
port = {port}
certificate = "ours.pem"
key = "ours.key"
authorities = "hospital.pem"
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What is said of each peer, and under "" of the node itself, while it runs."""
    folder = tmp_path_factory.mktemp("check")
    hospital = Authority(folder)
    hospital.issue("ours", Wanted("restage", ("localhost", "127.0.0.1")))
    port, tls_port = free_port(), free_port()
    with ExitStack() as stack:
        sections = [TLS.format(port=tls_port)]
        for name, options in archives(folder, hospital).items():
            peer_port = free_port()
            if options is not None:
                stack.enter_context(storescp(peer_port, options, folder / f"of {name}"))
            sections.append(section(name, peer_port))
        write_config(folder, port, extra="\n".join(sections))
        node: RunningNode = stack.enter_context(started(folder, port, worker=False))
        said = node.restage("check").stdout
        assert "tls.refused" not in node.log, "looking is no fault"
    return by_peer(" ".join(said.split()))


def archives(folder: Path, hospital: Authority) -> Mapping[str, Sequence[str] | None]:
    """The options of each storescp; None where nothing listens."""
    stranger = Authority(folder / "stranger", "stranger")

    def presenting(pair: Pair) -> list[str]:
        return trusting(pair, hospital.file)

    good = hospital.issue("good", Wanted("archive", (NAME,)))
    return {
        "sound": presenting(good),
        "unknown": presenting(stranger.issue("unknown", Wanted("archive", (NAME,)))),
        "expired": presenting(hospital.issue("expired", Wanted("archive", (NAME,), days=(-30, -1)))),
        "renamed": presenting(hospital.issue("renamed", Wanted("archive", ("other.example",)))),
        "distrusting": trusting(good, stranger.file),
        "unencrypted": [],
        "encrypted": presenting(good),
        "absent": None,
    }


def section(name: str, port: int) -> str:
    tls = "false" if name == "encrypted" else "true"
    return f"""\
[[peer]]
name = "{name}"
ae_title = "{TITLE}"
host = "127.0.0.1"
port = {port}
receives = true
tls = {tls}
tls_name = "{NAME}"
"""


def by_peer(said: str) -> dict[str, str]:
    """The words about each peer, without the lines' ends; about the node itself under ""."""
    found: dict[str, str] = {}
    for part in re.split(r"(?:ok|warn|fail) peer ", said):
        name = part.partition(" (")[0] if found else ""
        found[name] = found.get(name, "") + part
    return found


PEERS = {
    "sound": "accepts an association from RESTAGE over TLS",
    "unknown": "our side does not know who issued their certificate",
    "expired": "their certificate has expired",
    "renamed": "their certificate has another name than this [[peer]]",
    "distrusting": "their side does not know who issued our certificate",
    "unencrypted": "their side speaks DICOM without TLS",
    "encrypted": "their side speaks TLS",
    "absent": "nothing listens on port",
}


@pytest.mark.parametrize(("name", "words"), PEERS.items(), ids=PEERS)
def test_each_is_told_in_words(said: Mapping[str, str], name: str, words: str) -> None:
    assert words in said[name]


def test_the_presented_certificate_is_shown_where_it_will_not_do(said: Mapping[str, str]) -> None:
    assert "the certificate of archive (other.example), issued by hospital authority" in said["renamed"]
    assert "issued by stranger authority" in said["unknown"]


def test_the_running_node_is_known_by_its_certificate(said: Mapping[str, str]) -> None:
    assert said[""].count("a node that answers as RESTAGE is running here") == 2
    assert "our certificate is of restage (localhost, 127.0.0.1)" in said[""]


def test_a_node_whose_key_others_may_read_does_not_start(tmp_path: Path) -> None:
    hospital = Authority(tmp_path)
    hospital.issue("ours", Wanted("restage", ("localhost",))).key.chmod(0o640)
    write_config(tmp_path, free_port(), extra=TLS.format(port=free_port()))
    command = [sys.executable, "-m", "node", "serve", "--config", str(tmp_path / "config.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "config.toml: tls.key = " in done.stderr
    assert "may be read by other users (mode 0640); chmod 600" in done.stderr
