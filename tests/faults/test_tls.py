"""TLS as DCMTK speaks it with a real node, and all that is wrong with a caller: refused in time, and told to IT.

One node serves the whole file: it has a plain port for SENDER, a TLS port for SECURE, WARD and FAR, and delivers to
ARCHIVE over TLS.
"""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread

from node.app import opened
from node.config import load_config
from node.records import ResultFile
from node.tls import HANDSHAKE_SECONDS, as_onlooker
from node.tls_section import Tls
from tests.certificates import SERVER_ONLY, Authority, Pair, Wanted, self_signed
from tests.dicom_files import BASELINE, mask, report, t2_axial, write
from tests.faults.hostile import associate_rq, say
from tests.faults.storescp import storescp, trusting
from tests.node.conftest import Bench
from tests.programs import program
from tests.raw_peer import RELEASE_RQ
from tests.running_node import NODE_TITLE, SENDER_TITLE, Destination, RunningNode, free_port, started, write_config

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

PROMPTLY_SECONDS = 3.0  # an honest peer's association, whatever others do
EXTRA = """\
[logs]
level = "DEBUG"
[tls]
port = {port}
certificate = "{folder}/ours.pem"
key = "{folder}/ours.key"
authorities = "{folder}/authorities.pem"
[[peer]]
name = "secure"
ae_title = "SECURE"
host = "127.0.0.1"
port = 1
sends = true
tls = true
tls_name = "secure.example"
[[peer]]
name = "ward"
ae_title = "WARD"
host = "127.0.0.1"
port = 1
sends = true
tls = true
tls_name = "ward.example"
[[peer]]
name = "far"
ae_title = "FAR"
host = "192.0.2.99"
port = 1
sends = true
tls = true
[results]
retry_seconds = 1
"""


@dataclass
class Place:
    """The node, its TLS port, and certificates of all kinds by their names."""

    node: RunningNode
    tls_port: int
    hospital: Authority
    certificates: dict[str, Pair]
    archive: Path

    def storescu(
        self, pair: Pair, paths: Sequence[Path], calling: str = "SECURE", options: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """DCMTK sends over TLS."""
        tls = ["+tls", str(pair.key), str(pair.certificate), "+cf", str(self.hospital.file), *options]
        return self.sent(calling, self.tls_port, paths, tls)

    def sent(
        self, calling: str, port: int, paths: Sequence[Path], options: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        command = [str(program("storescu", "dcmtk")), *options, "-aet", calling, "-aec", NODE_TITLE]
        command += ["127.0.0.1", str(port), *map(str, paths)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    @contextmanager
    def logging(self, *parts: str, within: float = 5.0, before: int | None = None) -> Iterator[None]:
        """What happens inside, or since the log was that long, makes the node log one line with all these parts."""
        before = len(self.node.log) if before is None else before
        yield
        deadline = time.monotonic() + within
        while not any(all(part in line for part in parts) for line in self.node.log[before:].splitlines()):
            assert time.monotonic() < deadline, f"{parts} not in:\n{self.node.log[before:]}"
            time.sleep(0.05)

    def honest_seconds(self, image: Path) -> float:
        """How long an honest peer takes for an object over TLS."""
        begun = time.monotonic()
        done = self.storescu(self.certificates["secure"], [image])
        assert done.returncode == 0, done.stderr
        return time.monotonic() - begun


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("tls")
    hospital, archive_port, tls_port, plain_port = Authority(folder), free_port(), free_port(), free_port()
    certificates = issued(hospital, folder)
    authorities = hospital.file.read_text() + certificates["archive"].certificate.read_text()
    (folder / "authorities.pem").write_text(authorities)
    more = 'tls = true\ntls_name = "archive.example"'
    archive = Destination("archive", "ARCHIVE", archive_port, more)
    write_config(folder / "node", plain_port, [archive], EXTRA.format(folder=folder, port=tls_port))
    put_results(folder / "node" / "config.toml")
    secured = trusting(certificates["archive"], hospital.file)
    with (
        storescp(archive_port, secured, folder / "archived") as kept,
        started(folder / "node", plain_port, worker=False) as node,
    ):
        yield Place(node, tls_port, hospital, certificates, kept)


def issued(hospital: Authority, folder: Path) -> dict[str, Pair]:
    stranger = Authority(folder / "stranger", "stranger")
    secure = ("secure.example",)
    return {
        "ours": hospital.issue("ours", Wanted("restage", ("localhost", "127.0.0.1"))),
        "archive": self_signed(folder / "archive", Wanted("archive", ("archive.example",))),
        "secure": hospital.issue("secure", Wanted("secure", secure)),
        "ward": hospital.issue("ward", Wanted("ward", ("ward.example",))),
        "named": hospital.issue("named", Wanted("secure.example")),
        "other named": hospital.issue("other_named", Wanted("secure.example", ("elsewhere.example",))),
        "wildcard": hospital.issue("wildcard", Wanted("all", ("*.example",))),
        "expired": hospital.issue("expired", Wanted("secure", secure, days=(-30, -1))),
        "early": hospital.issue("early", Wanted("secure", secure, days=(1, 30))),
        "server only": hospital.issue("server_only", Wanted("secure", secure, uses=SERVER_ONLY)),
        "stranger": stranger.issue("secure", Wanted("secure", secure)),
    }


def put_results(config_file: Path) -> None:
    """Two results that are due for the archive when the node starts."""
    config = load_config(config_file)
    with opened(config) as (database, store):
        store.prepare()
        files = write([mask(BASELINE), report(BASELINE)], store.results)
        made = [result_file(path, store.folder) for path in files]
        Bench(database, store).done_job(made, ["archive"])


def result_file(path: Path, folder: Path) -> ResultFile:
    dataset = dcmread(path)
    uids = (dataset.SOPInstanceUID, dataset.SOPClassUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return ResultFile(dataset.Modality, *map(str, uids), path.relative_to(folder), digest)


@dataclass
class Stalled:
    """Connections to the TLS port that say nothing, or stop within the first message, and since when."""

    begun: float
    connections: list[socket.socket]


@pytest.fixture(scope="module", autouse=True)
def stalled(place: Place) -> Iterator[Stalled]:
    hello = client_hello()
    with ExitStack() as stack:
        address = ("127.0.0.1", place.tls_port)
        connections = [stack.enter_context(socket.create_connection(address)) for _ in range(20)]
        for number, one in enumerate(connections[5:]):
            one.sendall(hello[: 1 + number * 10])
        yield Stalled(time.monotonic(), connections)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(t2_axial(BASELINE, 1), tmp_path_factory.mktemp("image"))[0]


def test_dcmtk_stores_here_over_tls_and_results_go_out_over_tls(place: Place, image: Path) -> None:
    assert place.honest_seconds(image) < PROMPTLY_SECONDS
    assert "object.kept" in place.node.log
    deadline = time.monotonic() + 20
    while len(list(place.archive.iterdir())) < 2:
        assert time.monotonic() < deadline, place.node.log
        time.sleep(0.1)
    assert {dcmread(path, stop_before_pixels=True).Modality for path in place.archive.iterdir()} == {"SEG", "SR"}


REFUSED = {
    "stranger": "our side does not know who issued their certificate",
    "expired": "their certificate has expired",
    "early": "their certificate is not valid yet",
    "server only": "its extended key usage needs clientAuth",
}


@pytest.mark.parametrize(("certificate", "words"), REFUSED.items(), ids=REFUSED)
def test_a_certificate_that_will_not_do_ends_the_handshake(
    place: Place, image: Path, certificate: str, words: str
) -> None:
    with place.logging("tls.refused", "127.0.0.1", words):
        assert place.storescu(place.certificates[certificate], [image]).returncode != 0


OTHERS = {
    "ward": "a certificate of ward.example, and [[peer]] secure is secure.example",
    "wildcard": "a certificate of *.example, and",
    "other named": "a certificate of elsewhere.example, and",
}


@pytest.mark.parametrize(("certificate", "words"), OTHERS.items(), ids=OTHERS)
def test_a_valid_certificate_does_not_open_anothers_title(
    place: Place, image: Path, certificate: str, words: str
) -> None:
    with place.logging("association.rejected", "SECURE called from 127.0.0.1 with", words, "set its tls_name"):
        done = place.storescu(place.certificates[certificate], [image])
    assert "Calling AE Title Not Recognized" in done.stdout + done.stderr


def test_a_common_name_counts_where_there_is_no_other_name(place: Place, image: Path) -> None:
    assert place.storescu(place.certificates["named"], [image]).returncode == 0


def test_a_title_of_nobody_is_rejected_with_any_certificate(place: Place, image: Path) -> None:
    with place.logging("association.rejected", "STRANGER", "must be a [[peer]]"):
        assert place.storescu(place.certificates["secure"], [image], "STRANGER").returncode != 0


def test_a_title_of_another_machine_may_store_nothing_from_here(place: Place, image: Path) -> None:
    far = place.hospital.issue("far", Wanted("far", ("192.0.2.99",)))
    done = place.storescu(far, [image], "FAR")
    assert "No Acceptable Presentation Contexts" in done.stdout + done.stderr, "it may echo, as restage check does"


def test_a_peer_with_tls_is_rejected_without_and_a_plain_peer_may_come_with_it(place: Place, image: Path) -> None:
    with place.logging("association.rejected", "without TLS", "[[peer]] secure has tls = true"):
        done = place.sent("SECURE", place.node.port, [image])
    assert "Calling AE Title Not Recognized" in done.stdout + done.stderr
    assert place.storescu(place.certificates["ward"], [image], SENDER_TITLE).returncode == 0


def test_who_speaks_without_tls_to_the_tls_port_is_told_of(place: Place, image: Path) -> None:
    with place.logging("tls.refused", f"DICOM without TLS, and port {place.tls_port} is the TLS port"):
        assert place.sent(SENDER_TITLE, place.tls_port, [image]).returncode != 0
    with place.logging("tls.refused", "no TLS, and port"):
        say(place.tls_port, b"GET / HTTP/1.1\r\n\r\n")


def test_who_speaks_tls_to_the_plain_port_is_told_of(place: Place, image: Path) -> None:
    options = ["+tls", str(place.certificates["secure"].key), str(place.certificates["secure"].certificate)]
    options += ["+cf", str(place.hospital.file)]
    with place.logging("tls.refused", f"speaks TLS, and this port does not: let it call port {place.tls_port}"):
        assert place.sent("SECURE", place.node.port, [image], options).returncode != 0


def test_who_presents_no_certificate_or_does_not_know_ours_is_told_of(place: Place, image: Path) -> None:
    with place.logging("tls.refused", "presents no certificate"):
        trusting = ["+tla", "+cf", str(place.hospital.file)]
        assert place.sent("SECURE", place.tls_port, [image], trusting).returncode != 0
    with place.logging("tls.refused", "their side does not know who issued our certificate"):
        pair = place.certificates["secure"]
        unknowing = ["+tls", str(pair.key), str(pair.certificate)]
        assert place.sent("SECURE", place.tls_port, [image], unknowing).returncode != 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_that_are_allowed_are_spoken(place: Place, version: ssl.TLSVersion) -> None:
    with calling(place, "secure", version) as connection:
        connection.sendall(associate_rq("SECURE"))
        assert connection.recv(1) == b"\x02"  # A-ASSOCIATE-AC
        assert str(connection.version()) == version.name.replace("v1_", "v1.")
        connection.sendall(RELEASE_RQ)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")  # that is the point
def test_what_is_older_or_weaker_is_refused(place: Place) -> None:
    for words, version, ciphers in (
        ("speaks no TLS that is allowed", ssl.TLSVersion.TLSv1_1, "DEFAULT"),
        ("offers no cipher suite that is allowed", ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA"),
    ):
        refused = pytest.raises(ssl.SSLError)
        with place.logging("tls.refused", words), refused, calling(place, "secure", version, ciphers):
            pass


def test_who_closes_at_once_is_no_news(place: Place, image: Path) -> None:
    before = len(place.node.log)
    for _ in range(20):
        say(place.tls_port)
    assert place.honest_seconds(image) < PROMPTLY_SECONDS
    said = place.node.log[before:]
    assert "hung up" not in said and "and port" not in said


def client_hello() -> bytes:
    """What a TLS client begins with."""
    sent = ssl.MemoryBIO()
    client = as_onlooker(Tls()).wrap_bio(ssl.MemoryBIO(), sent)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


@contextmanager
def calling(place: Place, name: str, version: ssl.TLSVersion, ciphers: str = "DEFAULT") -> Iterator[ssl.SSLSocket]:
    """A connection with one version and certain cipher suites."""
    context = as_onlooker(Tls())
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(place.certificates[name].certificate, place.certificates[name].key)
    plain = socket.create_connection(("127.0.0.1", place.tls_port), timeout=20)
    with plain, context.wrap_socket(plain) as connection:
        yield connection


def test_large_objects_arrive_whole_and_as_fast_as_without_tls(place: Place, tmp_path: Path) -> None:
    (small,) = t2_axial(BASELINE, 1)
    large = tmp_path / "large.dcm"
    small.SOPInstanceUID = small.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.77.20"
    small.Rows, small.Columns, small.PixelData = 4096, 2560, os.urandom(4096 * 2560 * 2)
    small.save_as(large)
    begun = time.monotonic()
    assert place.storescu(place.certificates["secure"], [large]).returncode == 0
    secured = time.monotonic() - begun
    begun = time.monotonic()
    assert place.sent(SENDER_TITLE, place.node.port, [large]).returncode == 0
    assert secured < 3 * (time.monotonic() - begun) + 1.0
    assert place.node.restage("fsck").returncode == 0


def test_who_says_nothing_or_stops_midway_has_delayed_nobody_and_is_gone_in_time(
    place: Place, image: Path, stalled: Stalled
) -> None:
    """They have been there since the first test."""
    assert place.honest_seconds(image) < PROMPTLY_SECONDS
    with place.logging("tls.refused", "did not bring the handshake to an end in time", within=15, before=0):
        for one in stalled.connections:
            one.settimeout(max(stalled.begun + HANDSHAKE_SECONDS + 3 - time.monotonic(), 0.1))
            assert one.recv(100) == b"", "closed"
