"""The PEM files of [tls]: what cannot be used is told with its key, and what soon will not be."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from node.certificates import described, examined, today
from node.errors import ConfigError
from node.finding import Level
from node.tls_section import Tls
from tests.certificates import SERVER_ONLY, Authority, Pair, Wanted
from tests.conftest import REPOSITORY
from tests.programs import program

README = REPOSITORY / "README.md"
OURS = Wanted("restage", ("restage.example", "10.0.0.2"))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def tls(authority: Authority, pair: Pair) -> Tls:
    return Tls(certificate=pair.certificate, key=pair.key, authorities=authority.file)


def told(authority: Authority, wanted: Wanted, later: timedelta = timedelta()) -> list[tuple[Level, str]]:
    found = examined(tls(authority, authority.issue("ours", wanted))).findings(today() + later)
    return [(finding.level, finding.message) for finding in found]


def test_what_is_sound_is_described(authority: Authority) -> None:
    ((level, words),) = told(authority, OURS)
    assert level is Level.OK
    assert "restage (restage.example, 10.0.0.2), issued by hospital authority, valid until" in words


def test_who_vouches_for_itself_is_said_to(authority: Authority) -> None:
    credentials = examined(tls(authority, authority.issue("ours", OURS)))
    assert "issued by itself" in described(credentials.authorities[0])


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [
        ((-30, -1), Level.FAIL, "our certificate expired on"),
        ((1, 30), Level.FAIL, "our certificate is valid from"),
        ((-30, 12), Level.WARN, "in 11 days; renew it, then restart"),
        ((-30, 40), Level.OK, "our certificate is of"),
    ],
)
def test_it_is_told_when_our_certificate_is_not_valid_or_soon_not(
    authority: Authority, days: tuple[int, int], level: Level, words: str
) -> None:
    ((found, said),) = told(authority, replace(OURS, days=days))
    assert found is level
    assert words in said


def test_a_certificate_for_servers_alone_will_not_do_for_calling(authority: Authority) -> None:
    _, (level, words) = told(authority, replace(OURS, uses=SERVER_ONLY))
    assert level is Level.WARN
    assert "lacks clientAuth" in words


def test_an_authority_that_has_expired_is_told_of(authority: Authority) -> None:
    found = told(authority, replace(OURS, days=(-1, 900)), later=timedelta(days=400))
    assert any("hospital authority" in words and "has expired" in words for _, words in found)


def test_a_peers_own_certificate_that_may_issue_others_is_told_of(authority: Authority, tmp_path: Path) -> None:
    issuing = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=pacs"]
    made = tmp_path / "pacs.pem"
    openssl(tmp_path, ["req", *issuing, "-addext", "subjectAltName=DNS:pacs.example", "-out", str(made)])
    pair = authority.issue("ours", OURS)
    found = examined(Tls(certificate=pair.certificate, key=pair.key, authorities=made)).findings(today())
    (words,) = [finding.message for finding in found if finding.level is Level.WARN]
    assert "pacs (pacs.example)" in words and "CA:FALSE" in words


def openssl(folder: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [str(program("openssl", "openssl")), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_readmes_certificate_of_ones_own_can_be_used(tmp_path: Path) -> None:
    (command,) = [line for line in README.read_text().splitlines() if line.startswith("openssl req")]
    openssl(tmp_path, shlex.split(command)[1:])
    own = tmp_path / "restage.pem"
    (tmp_path / "restage.key").chmod(0o600)
    found = examined(Tls(certificate=own, key=tmp_path / "restage.key", authorities=own)).findings(today())
    assert [finding.level for finding in found] == [Level.OK]


def spoil(path: Path) -> None:
    path.write_text("-----BEGIN NOTHING-----\n")


WRONG: dict[str, tuple[str, Callable[[Pair, Authority], object], str]] = {
    "no certificate": ("tls.certificate", lambda pair, _: pair.certificate.unlink(), "cannot be read: No such file"),
    "no PEM certificate": ("tls.certificate", lambda pair, _: spoil(pair.certificate), "holds no certificate in PEM"),
    "no key": ("tls.key", lambda pair, _: pair.key.unlink(), "cannot be read: No such file"),
    "no PEM key": ("tls.key", lambda pair, _: spoil(pair.key), "holds no private key in PEM"),
    "readable key": ("tls.key", lambda pair, _: pair.key.chmod(0o640), "by other users (mode 0640); chmod 600"),
    "encrypted key": ("tls.key", lambda _, one: one.issue("ours", OURS, "secret"), "is encrypted"),
    "another key": (
        "tls.key",
        lambda pair, one: pair.key.write_bytes(one.issue("other", OURS).key.read_bytes()),
        "is not the key of the first certificate",
    ),
    "no authorities": ("tls.authorities", lambda _, one: one.file.unlink(), "cannot be read: No such file"),
    "no PEM authorities": ("tls.authorities", lambda _, one: spoil(one.file), "holds no certificate in PEM"),
}


@pytest.mark.parametrize(("key", "spoiled", "words"), WRONG.values(), ids=WRONG)
def test_a_file_that_will_not_do_is_told_with_its_key(
    authority: Authority, key: str, spoiled: Callable[[Pair, Authority], object], words: str
) -> None:
    pair = authority.issue("ours", OURS)
    spoiled(pair, authority)
    with pytest.raises(ConfigError) as refusal:
        examined(tls(authority, pair))
    assert refusal.value.key == key
    assert str(refusal.value).startswith(f"{key} = ")
    assert words in str(refusal.value)
