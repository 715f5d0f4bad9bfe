"""What reaches standard error, and what never does."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from node.config import Logs
from node.logs import configure_logs
from node.pseudonym import Pseudonyms


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hook = list(root.handlers), root.level, threading.excepthook
    with warnings.catch_warnings():
        yield
    threading.excepthook = hook
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_each_event_is_one_json_line_with_utc_time_level_and_what_every_line_carries(capsys) -> None:
    configure_logs(Logs(json=True), process="worker")
    structlog.get_logger().info("study.settled", study_uid="1.2.3")
    captured = capsys.readouterr()
    (line,) = lines(captured.err)
    assert captured.out == ""
    assert (line["event"], line["level"], line["process"], line["study_uid"]) == (
        "study.settled",
        "info",
        "worker",
        "1.2.3",
    )
    assert str(line["timestamp"]).endswith("Z")


def test_lines_about_one_patient_have_one_pseudonym(capsys, tmp_path: Path) -> None:
    configure_logs(Logs(json=True), Pseudonyms(tmp_path))
    log = structlog.get_logger()
    for patient_id, issuer in (("4711", "A"), ("4711", "A"), ("4711", "B"), ("4712", "A")):
        log.info("pair.planned", patient_id=patient_id, issuer=issuer)
    text = capsys.readouterr().err
    names = [line["pseudonym"] for line in lines(text)]
    assert names[0] == names[1] == Pseudonyms(tmp_path).of("4711", "A")
    assert len(set(names)) == 3
    assert not [key for line in lines(text) for key in line if key in ("patient_id", "issuer")]


def test_a_patient_is_never_named(capsys) -> None:
    configure_logs(Logs(json=True))
    log = structlog.get_logger()
    log.info("object.kept", patient_name="DOE^JANE", patient_id="4711", birth_date="19500301", study_uid="1.2")
    log.warning("study.not_planned", code="IDENTITY_CONFLICT", reason="PatientName is 'DOE^JANE' here")
    log.warning("study.not_planned", code="NO_T2_AXIAL", reason="no usable axial T2")
    text = capsys.readouterr().err
    assert "DOE" not in text
    assert "4711" not in text
    assert "1950" not in text
    assert "no usable axial T2" in text
    assert lines(text)[0]["study_uid"] == "1.2"


def test_context_bound_once_stands_in_every_later_line(capsys) -> None:
    configure_logs(Logs(json=True))
    with structlog.contextvars.bound_contextvars(job=7):
        structlog.get_logger().info("job.claimed")
    assert lines(capsys.readouterr().err)[0]["job"] == 7


def test_libraries_speak_only_when_something_is_wrong(capsys) -> None:
    configure_logs(Logs(json=True))
    logging.getLogger("pynetdicom.acse").info("Accepting Association")
    logging.getLogger("apscheduler.scheduler").info("Added job")
    logging.getLogger("pynetdicom.acse").warning("Association rejected for %s", "PACS")
    (line,) = lines(capsys.readouterr().err)
    assert (line["event"], line["level"]) == ("Association rejected for PACS", "warning")


def test_pydicom_which_quotes_values_is_silent(capsys) -> None:
    configure_logs(Logs(json=True))
    logging.getLogger("pydicom").error("Invalid value for VR DA: 'DOE^JANE'")
    warnings.warn_explicit("Invalid value 'DOE^JANE'", UserWarning, "valuerep.py", 1, module="pydicom.valuerep")
    assert capsys.readouterr().err == ""


def test_less_severe_events_than_the_level_are_dropped(capsys) -> None:
    configure_logs(Logs(level="WARNING", json=True))
    structlog.get_logger().info("study.settled")
    structlog.get_logger().warning("delivery.failed")
    assert [line["event"] for line in lines(capsys.readouterr().err)] == ["delivery.failed"]


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_traceback_is_written_without_local_variables(capsys, json_lines: bool) -> None:
    configure_logs(Logs(json=json_lines))
    patient_name = "DOE^JANE"
    try:
        raise RuntimeError("broken" + patient_name[:0])
    except RuntimeError:
        structlog.get_logger().exception("job.crashed", job=1)
    text = capsys.readouterr().err
    assert "RuntimeError: broken" in text
    assert "DOE" not in text


def test_lines_for_a_person_hold_no_colour_codes_where_no_terminal_reads_them(capsys) -> None:
    configure_logs(Logs())
    structlog.get_logger().info("listener.open", port=11112)
    text = capsys.readouterr().err
    assert "listener.open" in text
    assert "port=11112" in text
    assert "\x1b" not in text
    assert not sys.stderr.isatty()


def test_a_connection_that_breaks_off_is_one_line_without_traceback(capsys) -> None:
    configure_logs(Logs(json=True))
    try:
        raise ConnectionResetError("reset by peer")
    except OSError as error:
        logging.getLogger("pynetdicom.dul").exception(error)
        logging.getLogger("node.work").exception(error)
    by_pynetdicom, by_us = lines(capsys.readouterr().err)
    assert by_pynetdicom["event"] == "reset by peer"
    assert "exception" not in by_pynetdicom
    assert "Traceback" in str(by_us["exception"])


def test_a_thread_that_ends_by_an_error_is_an_event_with_its_traceback(capsys) -> None:
    configure_logs(Logs(json=True))

    def fail() -> None:
        raise RuntimeError("broken")

    thread = threading.Thread(target=fail, name="one")
    thread.start()
    thread.join()
    (line,) = lines(capsys.readouterr().err)
    assert (line["event"], line["thread"]) == ("thread.failed", "one")
    assert "RuntimeError: broken" in str(line["exception"])
