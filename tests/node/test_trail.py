"""The audit trail grows by whole lines, in a file that nobody else reads, whoever writes at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree.ElementTree import fromstring

import structlog

from node.audit import Role, activity
from node.trail import Trail
from tests.node.conftest import configured


def lines(folder: Path) -> list[str]:
    (file,) = folder.glob("*.xml")
    return file.read_text().splitlines()


def test_every_message_is_a_line_also_where_many_write_at_once(tmp_path: Path) -> None:
    trail = Trail(tmp_path / "audit", "RESTAGE")
    message = activity(trail.us(Role.APPLICATION, requestor=False), starts=True)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: trail.record(message), range(200)))
    assert [fromstring(line).tag for line in lines(tmp_path / "audit")] == ["AuditMessage"] * 200


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    trail = Trail(tmp_path / "audit", "RESTAGE")
    trail.record(activity(trail.us(Role.APPLICATION, requestor=False), starts=True))
    (file,) = (tmp_path / "audit").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_trail_that_cannot_be_written_stops_nothing_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("in the way")
    trail = Trail(tmp_path / "audit", "RESTAGE")
    with structlog.testing.capture_logs() as events:
        trail.record(activity(trail.us(Role.APPLICATION, requestor=False), starts=True))
    assert [one["log_level"] for one in events] == ["error"]


def test_where_none_is_wanted_none_is_kept(tmp_path: Path) -> None:
    trail = Trail.of(configured(tmp_path, audit={"trail": False}))
    trail.record(activity(trail.us(Role.APPLICATION, requestor=False), starts=True))
    assert list(tmp_path.iterdir()) == []
